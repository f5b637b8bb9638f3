import { pngChunk } from '../../../data/image/png/chunks.js';
import type { Beside } from './beside.js';
import { resolutionChunk } from './rows.js';

/** @throws Error for what a PNG could not carry. */
export function bmpBeside(bytes: Buffer): Beside {
  const size = bytes.readUInt32LE(14);
  const bits = size === 12 ? bytes.readUInt16LE(24) : bytes.readUInt16LE(28);
  if (bits === 16) throw new Error('its colours have 5 or 6 bits');
  const chunks: Buffer[] = [];
  if (size >= 108) {
    const space = bytes.toString('latin1', 70, 74);
    if (space === 'BGRs') chunks.push(pngChunk('sRGB', Buffer.of(0)));
    else if (space !== ' niW') {
      const described = bytes.subarray(70, 14 + 108).some((each) => each !== 0);
      if (described) throw new Error('it has a colour space of its own');
    }
  }
  if (size >= 40) {
    const [across, down] = [bytes.readInt32LE(38), bytes.readInt32LE(42)];
    if (across > 0 && down > 0) chunks.push(resolutionChunk(across, down, 1));
  }
  return { chunks };
}
