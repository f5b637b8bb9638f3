/**
 * Messages of the explorer: a JSON header and arrays of numbers. The page reads and writes them with this file too.
 *
 *   u32, little-endian   bytes of the header
 *   header               JSON in UTF-8, padded with spaces to a multiple of four bytes; `arrays` names what follows
 *   arrays               one after another, each padded with zeros to a multiple of four bytes
 */

export type FrameArray = Float32Array | Uint8Array | Int32Array;

export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, FrameArray>>;
}

const TYPES = { f32: Float32Array, u8: Uint8Array, i32: Int32Array } as const;
type TypeName = keyof typeof TYPES;

interface ArrayEntry {
  readonly name: string;
  readonly type: TypeName;
  readonly length: number;
}

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

export function encodeFrame({ header, arrays }: Frame): Uint8Array<ArrayBuffer> {
  const entries: ArrayEntry[] = Object.entries(arrays).map(([name, array]) => ({
    name,
    type: typeOf(array),
    length: array.length,
  }));
  const text = new TextEncoder().encode(JSON.stringify({ ...header, arrays: entries }));
  const head = 4 + padded(text.length);
  const total = Object.values(arrays).reduce((sum, { byteLength }) => sum + padded(byteLength), head);
  const out = new Uint8Array(total);
  new DataView(out.buffer).setUint32(0, head - 4, true);
  out.fill(32, 4, head).set(text, 4);
  let at = head;
  for (const array of Object.values(arrays)) {
    out.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += padded(array.byteLength);
  }
  return out;
}

/** Arrays are copies. @throws RangeError or SyntaxError for bytes that are no such message. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = 4 + view.getUint32(0, true);
  if (head > bytes.length) throw new RangeError('The header of a message is cut off.');
  const { arrays: entries = [], ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, head))) as {
    arrays?: readonly ArrayEntry[];
  };
  const arrays: Record<string, FrameArray> = {};
  let at = head;
  for (const { name, type, length } of entries) {
    const Type = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    if (Type === undefined || !Number.isSafeInteger(length) || length < 0) throw new RangeError('A bad array.');
    const size = length * Type.BYTES_PER_ELEMENT;
    if (at + size > bytes.length) throw new RangeError('An array of a message is cut off.');
    arrays[name] = new Type(Uint8Array.from(bytes.subarray(at, at + size)).buffer);
    at += padded(size);
  }
  return { header, arrays };
}

function typeOf(array: FrameArray): TypeName {
  if (array instanceof Float32Array) return 'f32';
  return array instanceof Int32Array ? 'i32' : 'u8';
}
