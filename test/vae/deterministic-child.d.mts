export const MODELS: Readonly<Record<string, unknown>>;
export function digests(names?: readonly string[], settings?: Readonly<Record<string, unknown>>): Promise<string[]>;
