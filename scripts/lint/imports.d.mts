export function findFaults(root: string): string[];
export function judge(faults: readonly string[], exceptions?: readonly string[]): string[];
export function checkImports(root: string): boolean;
