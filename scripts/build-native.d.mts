/** Types of build-native.mjs for scripts in TypeScript. */
export const SANITIZERS: readonly string[];
export function buildNative(options?: {
  readonly force?: boolean;
  readonly sanitize?: string;
  readonly target?: string;
  readonly quiet?: boolean;
}): string;
