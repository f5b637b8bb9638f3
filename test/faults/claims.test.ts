/** Files of some hundred bytes that claim to be large: refused before memory is taken for what they claim. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { readImages } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('claims');

/** A GIF whose screen and only frame claim so many pixels a side. */
async function claiming(side: number): Promise<string> {
  const raw = { width: 12, height: 10, channels: 3 } as const;
  const gif = await sharp(new Uint8Array(360), { raw }).gif().toBuffer();
  const frame = gif.indexOf(0x2c, 13 + 3 * 2 ** ((gif[10]! & 7) + 1));
  for (const at of [6, 8, frame + 5, frame + 7]) gif.writeUInt16LE(side, at);
  const path = join(folder, `${side}.gif`);
  await writeFile(path, gif);
  return path;
}

test('a picture that claims 16,000 pixels a side', async () => {
  const path = await claiming(16_000);
  await expect(readImages(path, { size: 8 })).rejects.toMatchObject({
    code: 'ERR_VAE_DATA',
    message: expect.stringMatching(/16000\.gif.*would hold 1024 MB.*maxPixels/s),
  });
});
