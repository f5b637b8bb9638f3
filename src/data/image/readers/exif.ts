/** The one thing that EXIF says of pixels: how the camera was held. */

const ORIENTATION = 0x0112;

/** 1 to 8 from a TIFF structure; 1 where it says nothing, or nothing of sense. */
export function exifOrientation(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 8) return 1;
  const mark = view.getUint16(0);
  if (mark !== 0x4949 && mark !== 0x4d4d) return 1;
  const little = mark === 0x4949;
  const start = view.getUint32(4, little);
  if (start + 2 > view.byteLength) return 1;
  const count = view.getUint16(start, little);
  for (let entry = 0; entry < count; entry += 1) {
    const at = start + 2 + 12 * entry;
    if (at + 12 > view.byteLength) return 1;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
