/** Numbers as people write them: decimal commas, thousands, currencies, units, parentheses. */
import { type NumberMarks, PLAIN } from './columns.js';

export interface WrittenNumber {
  readonly value: number;
  /** What stands before the digits and behind them, besides the sign: a currency, a unit. */
  readonly prefix: string;
  readonly suffix: string;
  readonly decimals: number;
}

/** Minus signs besides that of ASCII: U+2212, en dash, hyphen that does not break, full width, small. */
const MINUS = /[\u2212\u2013\u2011\uff0d\ufe63]/g;
/** Blanks that are no separators: no-break, figure, thin, narrow. */
const BLANKS = /[\u00a0\u2007\u2009\u202f]/g;
const CURRENCIES =
  '(?:[A-Z]{1,2}\\$|\\p{Sc}|(?:AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|RUB|SEK|SGD|THB|TRY|TWD|USD|ZAR|Fr\\.|Kč|zł|kr|Rs\\.?))';
/** Units, percent and currencies: short, without digits, and not the marks of another number. */
const SUFFIX = `(?:\\s?(?:${CURRENCIES}|[%‰°][A-Za-z]{0,2}|[\\p{L}µ][\\p{L}µ°²³⁻¹·/%^*.()-]{0,11}))`;

const PATTERNS = new Map<string, RegExp>();

/** The pattern of a number under these marks: sign, prefix, sign, digits, suffix. */
function patternOf({ decimal, thousands }: NumberMarks): RegExp {
  const key = decimal + thousands;
  const known = PATTERNS.get(key);
  if (known) return known;
  const point = decimal === ',' ? ',' : '\\.';
  // Groups of three, or of two before the last as in India.
  const mark = thousands === '' ? undefined : thousands === "'" ? "['’]" : `[${thousands}]`;
  const whole = mark === undefined ? '\\d+' : `(?:\\d{1,3}(?:${mark}\\d{2,3})*${mark}\\d{3}|\\d+)`;
  const digits = `((?:${whole}(?:${point}\\d*)?|${point}\\d+)(?:[eE][+-]?\\d+)?)`;
  const pattern = new RegExp(`^([+-]?)(${CURRENCIES}\\s?)?([+-]?)${digits}(${SUFFIX})?$`, 'u');
  PATTERNS.set(key, pattern);
  return pattern;
}

/** Blanks and minus signs as ASCII has them. */
function plainText(text: string): string {
  return text.replace(BLANKS, ' ').replace(MINUS, '-').trim();
}

/** A text as a number under these marks; undefined where it is none. */
export function writtenNumber(text: string, marks: NumberMarks = PLAIN): WrittenNumber | undefined {
  let plain = plainText(text);
  // As accountants write what is below zero.
  const inside = /^(.*)\((.*)\)(.*)$/.exec(plain);
  const negative = inside !== null && inside[2] !== '' && /^\D*$/.test(inside[1]! + inside[3]!);
  if (negative) plain = `${inside[1]}${inside[2]}${inside[3]}`.trim();
  const found = patternOf(marks).exec(plain);
  if (!found) return undefined;
  const [, outer = '', prefix = '', inner = '', digits = '', suffix = ''] = found;
  if (outer !== '' && inner !== '') return undefined;
  if (negative && outer + inner !== '') return undefined;
  let body = digits;
  if (marks.thousands !== '')
    body = body.replace(/[\s'’]|[.,](?=\d{2,3}(?:\D|$))/g, (mark) => (isThousands(mark, marks) ? '' : mark));
  if (marks.decimal === ',') body = body.replace(',', '.');
  const value = Number(body);
  if (!Number.isFinite(value)) return undefined;
  const below = negative || outer === '-' || inner === '-';
  return { value: below ? -value : value, prefix: prefix.trim(), suffix, decimals: decimalsOf(body) };
}

function isThousands(mark: string, { thousands }: NumberMarks): boolean {
  return mark === thousands || (thousands === "'" && mark === '’') || (thousands === ' ' && /\s/.test(mark));
}

function decimalsOf(plain: string): number {
  const [, fraction = '', exponent = '0'] = /^[^.eE]*\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(plain) ?? [];
  return Math.max(0, fraction.length - Number(exponent));
}

/** What a text says of the marks inside numbers. */
export type Evidence =
  | 'decimal-comma'
  | 'comma-thousands'
  | 'dot-thousands'
  | 'quote'
  | 'space'
  | 'comma-unclear'
  | 'dot-unclear';

/** @returns undefined for texts that say nothing. */
export function evidenceOf(text: string): Evidence | undefined {
  const digits = /^[^\d.,]{0,5}([\d.,'’ ]*\d)[^\d]{0,13}$/u.exec(plainText(text))?.[1];
  if (digits === undefined) return undefined;
  if (/^\d{1,3}(\.\d{3})+,\d+$/.test(digits)) return 'dot-thousands';
  if (/^\d{1,3}(\.\d{3}){2,}$/.test(digits)) return 'dot-thousands';
  if (/^\d{1,3}(,\d{2,3})*,\d{3}\.\d+$/.test(digits) || /^\d{1,3}(,\d{2,3})*(,\d{3}){2,}$/.test(digits))
    return 'comma-thousands';
  if (/^\d{1,3}(['’]\d{3})+([.,]\d+)?$/.test(digits)) return 'quote';
  if (/^\d{1,3}( \d{3})+([.,]\d+)?$/.test(digits)) return 'space';
  if (/^[1-9]\d{0,2},\d{3}$/.test(digits)) return 'comma-unclear';
  if (/^\d*,\d+$/.test(digits)) return 'decimal-comma';
  if (/^[1-9]\d{0,2}\.\d{3}$/.test(digits)) return 'dot-unclear';
  return undefined;
}

/** A number with what stands before and behind it, as a column has it. */
export function writeNumber(value: number, marks: NumberMarks, prefix: string, suffix: string): string {
  const text = String(value);
  const local = marks.decimal === ',' ? text.replace('.', ',') : text;
  if (prefix === '') return `${local}${suffix}`;
  return local.startsWith('-') ? `-${prefix}${local.slice(1)}${suffix}` : `${prefix}${local}${suffix}`;
}
