/**
 * Arithmetic on lengths that may be symbolic. A symbolic length is the text of a polynomial with
 * integer coefficients in canonical form, such as `N`, `64*N`, `H*N - 1` or `floor((H - 1)/2) + 1`,
 * so that equal lengths have equal texts. Whatever does not fit that form is `undefined`: known
 * only when the graph runs.
 */
import type { Dim } from '../ir.js';

interface Term {
  readonly factor: number;
  /** Names and floor(…) texts, sorted. */
  readonly atoms: readonly string[];
}
/** Terms by their joined atoms; '' is the constant one. */
type Polynomial = Map<string, Term>;

/** Larger expressions are given up: they tell nothing and cost time. */
const MAX_TERMS = 16;
const MAX_TEXT = 256;

export function addDims(left: Dim | undefined, right: Dim | undefined): Dim | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (typeof left === 'number' && typeof right === 'number') return safe(left + right);
  if (left === 0) return right;
  if (right === 0) return left;
  return combine(left, right, (a, b) => {
    const sum = new Map(a);
    for (const term of b.values()) accumulate(sum, term);
    return sum;
  });
}

export function subtractDims(left: Dim | undefined, right: Dim | undefined): Dim | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (typeof left === 'number' && typeof right === 'number') return safe(left - right);
  if (left === right) return 0;
  return addDims(left, multiplyDims(right, -1));
}

export function multiplyDims(left: Dim | undefined, right: Dim | undefined): Dim | undefined {
  if (left === 0 || right === 0) return 0;
  if (left === undefined || right === undefined) return undefined;
  if (typeof left === 'number' && typeof right === 'number') return safe(left * right);
  if (left === 1) return right;
  if (right === 1) return left;
  return combine(left, right, multiply);
}

export function productOfDims(dims: readonly (Dim | undefined)[]): Dim | undefined {
  let product: Dim | undefined = 1;
  for (const dim of dims) product = multiplyDims(product, dim);
  return product;
}

/** The quotient where the division leaves nothing over, otherwise undefined. */
export function divideExactly(left: Dim | undefined, right: Dim | undefined): Dim | undefined {
  if (left === undefined || right === undefined || right === 0) return undefined;
  if (typeof left === 'number' && typeof right === 'number') return left % right === 0 ? left / right : undefined;
  if (left === right) return 1;
  if (right === 1) return left;
  return combine(left, right, (a, b) => {
    if (b.size !== 1) return undefined;
    const divisor = [...b.values()][0]!;
    const quotient: Polynomial = new Map();
    for (const term of a.values()) {
      if (term.factor % divisor.factor !== 0) return undefined;
      const atoms = [...term.atoms];
      for (const atom of divisor.atoms) {
        const at = atoms.indexOf(atom);
        if (at < 0) return undefined;
        atoms.splice(at, 1);
      }
      accumulate(quotient, { factor: term.factor / divisor.factor, atoms });
    }
    return quotient;
  });
}

/** The quotient rounded down. */
export function floorDivide(left: Dim | undefined, right: Dim | undefined): Dim | undefined {
  if (left === undefined || right === undefined || right === 0) return undefined;
  if (typeof left === 'number' && typeof right === 'number') return Math.floor(left / right);
  const exact = divideExactly(left, right);
  if (exact !== undefined) return exact;
  if (typeof right !== 'number' || right < 0 || !Number.isInteger(right)) return undefined;
  return combine(left, right, (a) => floorDivideBy(a, right));
}

/** The quotient rounded up. */
export function ceilDivide(left: Dim | undefined, right: Dim | undefined): Dim | undefined {
  if (right === undefined) return undefined;
  return floorDivide(addDims(left, subtractDims(right, 1)), right);
}

/** The text that arithmetic here gives an equal length; texts that are no polynomial stay as they are. */
export function canonicalDim(dim: Dim): Dim {
  const polynomial = polynomialOf(dim);
  return polynomial === undefined ? dim : toDim(polynomial);
}

/** A length as a non-negative number, or its symbol; undefined for what cannot be a length. */
export function asLength(dim: Dim | undefined): Dim | undefined {
  if (typeof dim === 'number') return Number.isSafeInteger(dim) && dim >= 0 ? dim : undefined;
  return dim;
}

function combine(
  left: Dim,
  right: Dim,
  operation: (a: Polynomial, b: Polynomial) => Polynomial | undefined,
): Dim | undefined {
  const a = polynomialOf(left);
  const b = a && polynomialOf(right);
  const result = b && operation(a, b);
  if (result === undefined || result.size > MAX_TERMS) return undefined;
  for (const term of result.values()) if (!Number.isSafeInteger(term.factor)) return undefined;
  const dim = toDim(result);
  return typeof dim === 'string' && dim.length > MAX_TEXT ? undefined : dim;
}

function toDim(polynomial: Polynomial): Dim {
  const constant = polynomial.get('');
  if (polynomial.size === 0) return 0;
  return polynomial.size === 1 && constant ? constant.factor : render(polynomial);
}

function multiply(a: Polynomial, b: Polynomial): Polynomial | undefined {
  if (a.size * b.size > MAX_TERMS * MAX_TERMS) return undefined;
  const product: Polynomial = new Map();
  for (const x of a.values()) {
    for (const y of b.values()) {
      accumulate(product, { factor: x.factor * y.factor, atoms: [...x.atoms, ...y.atoms].sort() });
    }
  }
  return product;
}

/** floor((k·q + r)/k) = q + floor(r/k) */
function floorDivideBy(dividend: Polynomial, divisor: number): Polynomial {
  const whole: Polynomial = new Map();
  const rest: Polynomial = new Map();
  for (const term of dividend.values()) {
    const over = term.atoms.length === 0 ? positiveModulo(term.factor, divisor) : term.factor % divisor;
    accumulate(whole, { factor: (term.factor - over) / divisor, atoms: term.atoms });
    accumulate(rest, { factor: over, atoms: term.atoms });
  }
  if ([...rest.values()].every((term) => term.atoms.length === 0)) return whole;
  const inner = rest.size === 1 ? render(rest) : `(${render(rest)})`;
  accumulate(whole, { factor: 1, atoms: [`floor(${inner}/${divisor})`] });
  return whole;
}

function accumulate(target: Polynomial, term: Term): void {
  const key = term.atoms.join('*');
  const factor = (target.get(key)?.factor ?? 0) + term.factor;
  if (factor === 0) target.delete(key);
  else target.set(key, { factor, atoms: term.atoms });
}

function render(polynomial: Polynomial): string {
  const terms = [...polynomial.values()].sort(
    (a, b) => b.atoms.length - a.atoms.length || compareText(a.atoms.join('*'), b.atoms.join('*')),
  );
  let text = '';
  for (const { factor, atoms } of terms) {
    const size = Math.abs(factor);
    const body = atoms.length === 0 ? `${size}` : size === 1 ? atoms.join('*') : `${size}*${atoms.join('*')}`;
    if (text === '') text = factor < 0 ? `-${body}` : body;
    else text += factor < 0 ? ` - ${body}` : ` + ${body}`;
  }
  return text;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const parsed = new Map<string, Polynomial | undefined>();

function polynomialOf(dim: Dim): Polynomial | undefined {
  if (typeof dim === 'number') {
    return Number.isSafeInteger(dim) ? new Map(dim === 0 ? [] : [['', { factor: dim, atoms: [] }]]) : undefined;
  }
  if (parsed.has(dim)) return parsed.get(dim);
  // A memory of recent texts only: names come from files, and must not pile up.
  if (parsed.size >= 4096) parsed.clear();
  const polynomial = dim.length > MAX_TEXT ? undefined : new Parser(dim).parse();
  parsed.set(dim, polynomial);
  return polynomial;
}

/** Reads the texts made here and those exporters write, such as `((s0 - 1)//2) + 1`. */
class Parser {
  #at = 0;
  #depth = 0;

  constructor(private readonly text: string) {}

  parse(): Polynomial | undefined {
    const result = this.#sum();
    return this.#at === this.text.length ? result : undefined;
  }

  #sum(): Polynomial | undefined {
    if (++this.#depth > 32) return undefined;
    let sign = this.#take(/-/y) ? -1 : 1;
    const sum: Polynomial = new Map();
    for (;;) {
      const product = this.#product();
      if (product === undefined) return undefined;
      for (const term of product.values()) accumulate(sum, { factor: sign * term.factor, atoms: term.atoms });
      const operator = this.#take(/ *([+-]) +/y);
      if (operator === undefined) break;
      sign = operator.trim() === '-' ? -1 : 1;
    }
    this.#depth -= 1;
    return sum;
  }

  #product(): Polynomial | undefined {
    let product = this.#factor();
    while (product !== undefined) {
      if (this.#take(/ *\/\/ */y) !== undefined) {
        const divisor = this.#take(/\d{1,9}/y);
        if (divisor === undefined) return undefined;
        product = Number(divisor) === 0 ? undefined : floorDivideBy(product, Number(divisor));
      } else if (this.#take(/ *\* */y) !== undefined) {
        const next = this.#factor();
        product = next && multiply(product, next);
      } else break;
    }
    return product;
  }

  #factor(): Polynomial | undefined {
    const digits = this.#take(/\d{1,15}(?![\w.])/y);
    if (digits !== undefined) return polynomialOf(Number(digits));
    const floor = this.text.startsWith('floor(', this.#at) ? this.#balanced(this.#at + 5) : undefined;
    if (floor !== undefined) {
      this.#at += 5 + floor.length;
      return atom(`floor${floor}`);
    }
    const name = this.#take(/[A-Za-z_?$][\w.$?:#@-]*/y);
    if (name !== undefined) return atom(name);
    if (this.#take(/\(/y) === undefined) return undefined;
    const inner = this.#sum();
    return this.#take(/\)/y) === undefined ? undefined : inner;
  }

  /** The text from an opening parenthesis to the one that closes it. */
  #balanced(start: number): string | undefined {
    let open = 0;
    for (let at = start; at < this.text.length; at += 1) {
      if (this.text[at] === '(') open += 1;
      else if (this.text[at] === ')' && --open === 0) return this.text.slice(start, at + 1);
    }
    return undefined;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match[0];
  }
}

function atom(name: string): Polynomial {
  return new Map([[name, { factor: 1, atoms: [name] }]]);
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

function positiveModulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
