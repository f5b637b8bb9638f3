/** Damage that a parser might not expect, decided by a seed: bytes, lengths and numbers, words of a text. */
import { generator, mutate } from '../data/mutate.js';

/** How a file's bytes are laid out, which says where damage goes deep. */
export type Layout = 'binary' | 'text';

export function damage(bytes: Uint8Array, seed: number, layout: Layout, head: number): Uint8Array {
  const pick = generator(seed ^ 0x5bd1e995);
  const kind = pick(4);
  if (kind === 0) return mutate(bytes, seed, head);
  if (kind === 1) return mutate(bytes, seed, bytes.length);
  return layout === 'text' ? damageText(bytes, pick) : damageNumbers(bytes, pick, head);
}

/** Values at the edges of the integers that files count and measure in. */
const NUMBERS = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n - 1n,
];

/** Writes such a number over two, four or eight bytes, in either byte order. */
function damageNumbers(bytes: Uint8Array, pick: (below: number) => number, head: number): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  for (let change = 0; change <= pick(2); change += 1) {
    const width = [2, 4, 8][pick(3)]!;
    if (out.length < width) break;
    const within = pick(3) === 0 ? out.length : Math.min(out.length, head);
    const at = Math.min(pick(Math.max(1, within)), out.length - width);
    const little = pick(2) === 0;
    const value = NUMBERS[pick(NUMBERS.length)]!;
    if (width === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), little);
    else if (width === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), little);
    else view.setBigUint64(at, value, little);
  }
  return out;
}

const WORDS = [
  '""',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ',,,,',
  '\n',
  '\r\n\r',
  'null',
  'true',
  '-1',
  '0',
  '1e999',
  'NaN',
  '9007199254740993',
  '4294967296',
  '1e-320',
  '"__proto__"',
  '"constructor"',
  '"../../outside"',
  '"/etc/passwd"',
  '"\\u0000"',
  '\u0000',
  '\ufeff',
  '"\ud83d"',
  '['.repeat(3000),
  'x'.repeat(5000),
];

/** Replaces, drops, doubles or swaps words: a word is a run of letters and digits, or one other character. */
function damageText(bytes: Uint8Array, pick: (below: number) => number): Uint8Array {
  const words =
    Buffer.from(bytes)
      .toString('utf8')
      .match(/[\w.+-]+|"[^"]*"|[^\w]/g) ?? [];
  for (let change = 0; change <= pick(3) && words.length > 0; change += 1) {
    const at = pick(words.length);
    switch (pick(5)) {
      case 0:
        words[at] = WORDS[pick(WORDS.length)]!;
        break;
      case 1:
        words.splice(at, 1 + pick(3));
        break;
      case 2:
        words.splice(at, 0, ...words.slice(at, at + 1 + pick(8)));
        break;
      case 3: {
        const other = pick(words.length);
        [words[at], words[other]] = [words[other]!, words[at]!];
        break;
      }
      default:
        words.splice(at, 0, WORDS[pick(WORDS.length)]!);
    }
  }
  return new Uint8Array(Buffer.from(words.join('')));
}
