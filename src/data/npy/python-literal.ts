/** The few Python literals that a .npy header is made of. */
import { formatError } from './error.js';

export type PythonValue = string | boolean | number | readonly PythonValue[];

/** Nested deeper than any header NumPy writes. */
const MOST_DEPTH = 4;

const TOKEN = /\s*(?:'([^'\\]*)'|"([^"\\]*)"|(\d{1,16})L?|(True|False)|([{}()[\]:,]))/y;

/**
 * Reads a dictionary with string keys, of strings, whole numbers, booleans, tuples and lists.
 *
 * @throws VaeError ERR_VAE_FORMAT for anything else.
 */
export function parsePythonDict(text: string, where: string): Map<string, PythonValue> {
  const tokens = new Tokens(text, where);
  const dict = new Map<string, PythonValue>();
  tokens.expect('{');
  while (!tokens.accept('}')) {
    const key = tokens.value(0);
    if (typeof key !== 'string' || dict.has(key))
      throw formatError(where, 'its header is not a dictionary of distinct names');
    tokens.expect(':');
    dict.set(key, tokens.value(0));
    if (!tokens.accept(',')) {
      tokens.expect('}');
      break;
    }
  }
  tokens.expectEnd();
  return dict;
}

type Token = { readonly literal: PythonValue } | { readonly mark: string };

class Tokens {
  readonly #where: string;
  readonly #tokens: Token[] = [];
  #next = 0;

  constructor(text: string, where: string) {
    this.#where = where;
    const trimmed = text.trimEnd();
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < trimmed.length) {
      const at = TOKEN.lastIndex;
      const match = TOKEN.exec(trimmed);
      if (!match)
        throw formatError(where, `its header cannot be read at ${JSON.stringify(trimmed.slice(at, at + 20))}`);
      const [, single, double, number, boolean, mark] = match;
      if (mark !== undefined) this.#tokens.push({ mark });
      else if (boolean !== undefined) this.#tokens.push({ literal: boolean === 'True' });
      else if (number !== undefined) this.#tokens.push({ literal: Number(number) });
      else this.#tokens.push({ literal: (single ?? double)! });
    }
  }

  accept(mark: string): boolean {
    const token = this.#tokens[this.#next];
    if (!token || !('mark' in token) || token.mark !== mark) return false;
    this.#next += 1;
    return true;
  }

  expect(mark: string): void {
    if (!this.accept(mark)) throw formatError(this.#where, `its header misses a "${mark}"`);
  }

  expectEnd(): void {
    if (this.#next < this.#tokens.length) throw formatError(this.#where, 'its header goes on after the dictionary');
  }

  value(depth: number): PythonValue {
    const token = this.#tokens[this.#next];
    if (token && 'literal' in token) {
      this.#next += 1;
      return token.literal;
    }
    if (depth < MOST_DEPTH && this.accept('(')) return this.#list(')', depth);
    if (depth < MOST_DEPTH && this.accept('[')) return this.#list(']', depth);
    throw formatError(this.#where, 'its header misses a value');
  }

  #list(end: string, depth: number): PythonValue[] {
    const values: PythonValue[] = [];
    while (!this.accept(end)) {
      values.push(this.value(depth + 1));
      if (!this.accept(',')) {
        this.expect(end);
        break;
      }
    }
    return values;
  }
}
