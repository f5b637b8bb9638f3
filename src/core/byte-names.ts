/**
 * Names of files whose bytes are not UTF-8. Such a byte travels in a string as a lone surrogate, U+DC00 plus the byte,
 * as Python has it (PEP 383): no UTF-8 decodes to one, so that every name has one string and every string one name.
 */
import { TextDecoder } from 'node:util';

/** The string of a name's bytes. */
export function nameFromBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    let name = '';
    for (let at = 0; at < bytes.length; ) {
      const length = sequenceLength(bytes, at);
      if (length === 0) {
        name += String.fromCharCode(0xdc00 + bytes[at]!);
        at += 1;
      } else {
        name += Buffer.from(bytes.subarray(at, at + length)).toString('utf8');
        at += length;
      }
    }
    return name;
  }
}

/** The bytes of a name's string. */
export function nameToBytes(name: string): Buffer {
  if (!hasRawBytes(name)) return Buffer.from(name, 'utf8');
  const pieces: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    pieces.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(pieces);
}

/** Whether a name has bytes that are not UTF-8. */
export function hasRawBytes(name: string): boolean {
  // With the u flag, only surrogates that stand alone.
  return /[\udc80-\udcff]/u.test(name);
}

/** What file functions take for a name or path: bytes only where it has to be. */
export function pathOf(name: string): string | Buffer {
  return hasRawBytes(name) ? nameToBytes(name) : name;
}

/** A name for messages: control characters and bytes that are no text are escaped. */
export function shownName(name: string): string {
  let shown = '';
  for (const character of name) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) shown += `\\x${(code - 0xdc00).toString(16)}`;
    else if (code < 32 || code === 127) shown += `\\x${code.toString(16).padStart(2, '0')}`;
    else shown += character;
  }
  return shown;
}

/** Bytes of the UTF-8 character at a place; 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const length =
    first < 0x80
      ? 1
      : first >= 0xc2 && first < 0xe0
        ? 2
        : first >= 0xe0 && first < 0xf0
          ? 3
          : first >= 0xf0 && first < 0xf5
            ? 4
            : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}
