import type { TypedArray } from '../core/dtype.js';

type ElementArray = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => TypedArray;

/**
 * Elements stored one after another, as a typed array: borrowed where order and alignment allow it,
 * else copied. `bytes` holds at least `count` elements.
 */
export function elementsOf(
  bytes: Uint8Array,
  count: number,
  Type: ElementArray & { readonly BYTES_PER_ELEMENT: number },
  bigEndian: boolean,
): TypedArray {
  const size = Type.BYTES_PER_ELEMENT;
  const used = bytes.subarray(0, count * size);
  if (used.byteOffset % size === 0 && !(bigEndian && size > 1)) return new Type(used.buffer, used.byteOffset, count);
  // Not slice(): on a Buffer that would share the memory.
  const copy = new Uint8Array(used);
  if (bigEndian && size > 1) swapBytes(copy, size);
  return new Type(copy.buffer, copy.byteOffset, count);
}

/** Every platform that Node and ONNX Runtime share is little-endian, so only big-endian files need this. */
function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else buffer.swap64();
}
