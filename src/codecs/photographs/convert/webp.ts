import { pngChunk } from '../../../data/image/png/chunks.js';
import type { Beside } from './beside.js';
import { profileChunk, xmpChunk } from './rows.js';

/** Undefined for one with loss. @throws Error for what a PNG could not carry. */
export function webpBeside(bytes: Buffer): Beside | undefined {
  const chunks: Buffer[] = [];
  let lossless = false;
  if (bytes.readUInt32LE(4) + 8 < bytes.length) throw new Error('bytes stand behind its end');
  for (let at = 12; at + 8 <= bytes.length; ) {
    const type = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length) throw new Error('it ends too early');
    if (type === 'VP8 ' || type === 'ALPH') return undefined;
    if (type === 'ANIM' || type === 'ANMF') throw new Error('it has several frames');
    if (type === 'VP8L') lossless = true;
    else if (type === 'ICCP') chunks.push(profileChunk(body));
    else if (type === 'EXIF')
      chunks.push(pngChunk('eXIf', body.subarray(body.toString('latin1', 0, 4) === 'Exif' ? 6 : 0)));
    else if (type === 'XMP ') chunks.push(xmpChunk(body));
    else if (type !== 'VP8X') throw new Error(`it has a part "${type}"`);
    at += 8 + length + (length % 2);
  }
  if (!lossless) throw new Error('it has no pixels');
  return { chunks };
}
