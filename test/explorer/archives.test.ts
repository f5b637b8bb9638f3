/** Archives of every kind, as the explorer lists and shows them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { ArchiveSubject } from '../../src/entries/explorer/archive-subject.js';
import { compress, compressPictures, writeNpy } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { tones } from './subjects.js';

async function opened(
  path: string,
): Promise<{ state: ReturnType<ArchiveSubject['state']>; header: object; rows: Float32Array }> {
  const subject = await ArchiveSubject.open(path, undefined);
  try {
    const { header, arrays } = await subject.answer({
      ...{ op: 'picture', header: { item: 0 }, arrays: {} },
      signal: new AbortController().signal,
    });
    return { state: subject.state(), header, rows: arrays['rows'] as Float32Array };
  } finally {
    await subject.close();
  }
}

it('sounds', async () => {
  const folder = temporaryFolderOfTest('explorer-archives');
  await mkdir(join(folder, 'in'));
  const { vae } = await tones(join(folder, 'in'));
  await vae.close();
  await compress(join(folder, 'in'), { model: 'sound-codec', output: join(folder, 'out.vaez') });
  const { state, header, rows } = await opened(join(folder, 'out.vaez'));
  expect(state).toMatchObject({ kind: 'sounds', items: 8, complete: true });
  expect(state.files.map(({ name }) => name)).toContain('0.wav');
  expect(header).toMatchObject({ display: { kind: 'sound', sampleRate: 8000, frame: 4096 } });
  expect(rows[10]!).toBeCloseTo(0.5 * Math.sin((10 * 2 * Math.PI * 200) / 8000), 3);
});

it('pictures with loss', async () => {
  const folder = temporaryFolderOfTest('explorer-archives');
  await mkdir(join(folder, 'in'));
  await sharp({ create: { width: 70, height: 50, channels: 3, background: { r: 200, g: 80, b: 20 } } })
    .png()
    .toFile(join(folder, 'in', 'orange.png'));
  await compressPictures(join(folder, 'in'), { output: join(folder, 'out.vaez'), quality: 50 });
  const { state, header, rows } = await opened(join(folder, 'out.vaez'));
  expect(state).toMatchObject({ kind: 'pictures', items: 1, chunks: [{ codedBy: 'model', items: 1 }] });
  expect(header).toMatchObject({ display: { kind: 'image', width: 70, height: 50 } });
  expect(Math.abs(rows[0]! - 200)).toBeLessThan(12);
});

it('arrays, item by item', async () => {
  const folder = temporaryFolderOfTest('explorer-archives');
  const { data, shape } = digits(300);
  await writeNpy(join(folder, 'in.npy'), { data, shape });
  await compress(join(folder, 'in.npy'), { model: 'mnist-codec', output: join(folder, 'out.vaez') });
  const { state, rows } = await opened(join(folder, 'out.vaez'));
  expect(state).toMatchObject({ kind: 'npy', items: 300 });
  expect(state.files).toHaveLength(300);
  expect(state.chunks[0]!.dataBytes! / state.chunks[0]!.bytes).toBeGreaterThan(3);
  expect([...rows]).toEqual([...data.subarray(0, 784)]);
});
