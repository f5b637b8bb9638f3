/** Folders larger than the memory allowed train: what is resident does not grow with the folder. */
import { existsSync } from 'node:fs';
import { link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { execute, PACKAGE_ROOT } from '../support/project.js';
import { temporaryFolder } from '../support/temporary.js';

const SIDE = 384;
// Enough that what is read ahead is full.
const FEW = 80;
const MANY = 300;
const MIB = 2 ** 20;
const ALLOWED = 6 * MIB;

const folder = temporaryFolder('memory');
beforeAll(async () => {
  if (!existsSync(join(PACKAGE_ROOT, 'dist/main/index.js')))
    throw new Error('This runs the built package: run `npm run setup` first.');
  const noise = { create: { width: SIDE, height: SIDE, channels: 3, background: '#888' } } as const;
  for (let index = 0; index < 8; index += 1)
    await sharp({ create: { ...noise.create, noise: { type: 'gaussian', mean: 60 + 10 * index, sigma: 20 } } })
      .jpeg()
      .toFile(join(folder, `${index}.jpg`));
  for (const count of [FEW, MANY]) {
    const to = join(folder, String(count));
    await mkdir(to);
    // One file under many names is decoded as often.
    for (let index = 0; index < count; index += 1)
      await link(join(folder, `${index % 8}.jpg`), join(to, `${String(index).padStart(4, '0')}.jpg`));
  }
});

const PROGRAM = `
import { readImages, Vae } from '${pathToFileURL(join(PACKAGE_ROOT, 'dist/main/index.js')).href}';
const [folder, kind] = process.argv.slice(1);
const crops = kind === 'crops' ? { crops: 1 } : {};
const data = await readImages(folder, { size: ${SIDE}, memoryBytes: ${ALLOWED}, ...crops });
const vae = await Vae.create({
  input: { kind: 'image', height: ${SIDE}, width: ${SIDE}, channels: 3 }, latentDim: 2, seed: 1, threads: 1,
  architecture: { type: 'conv', channels: [2, 2], stride: 4, latent: 'map' }, likelihood: 'gaussian',
});
const { epochs } = await vae.fit(data, { epochs: 1, batchSize: 8 });
console.log(JSON.stringify({ rows: data.length, peak: process.resourceUsage().maxRSS * 1024, loss: epochs[0].train.loss }));
await vae.close();
`;

async function train(count: number, kind: string): Promise<{ rows: number; peak: number; loss: number }> {
  const args = ['--input-type=module', '-e', PROGRAM, join(folder, String(count)), kind];
  const done = await execute(process.execPath, args, { cwd: PACKAGE_ROOT });
  expect(done.stderr).toBe('');
  return JSON.parse(done.stdout) as { rows: number; peak: number; loss: number };
}

it.each(['whole', 'crops'])(
  'trains on a folder of %s pictures many times the memory allowed',
  {
    timeout: 240_000,
  },
  async (kind) => {
    const few = await train(FEW, kind);
    const many = await train(MANY, kind);
    expect([few.rows, many.rows]).toEqual([FEW, MANY]);
    expect(Number.isFinite(many.loss)).toBe(true);
    // Decoded, the larger folder is 97 MB more than the smaller one, and 15 times what may be kept.
    const more = 3 * SIDE * SIDE * (MANY - FEW);
    expect(more).toBeGreaterThan(15 * ALLOWED);
    expect((many.peak - few.peak) / MIB).toBeLessThan(45);
  },
);

it('takes what a container allows for its measure', async () => {
  const table = join(folder, 'table.csv');
  await writeFile(table, `a,b,c\n${'1.5,2.5,3.5\n'.repeat(100_000)}`);
  const program = `
process.constrainedMemory = () => ${2 * MIB};
const { readImages, readTable } = await import('${pathToFileURL(join(PACKAGE_ROOT, 'dist/main/index.js')).href}');
const pictures = await readImages(process.argv[1], { size: 64 });
const refused = await readTable(process.argv[2]).catch(({ code, message }) => [code, message]);
console.log(JSON.stringify({ rows: pictures.length, kept: pictures.memory !== undefined, refused }));`;
  const args = ['--input-type=module', '-e', program, join(folder, String(FEW)), table];
  const done = await execute(process.execPath, args, { cwd: PACKAGE_ROOT });
  // 80 rows of 12 KB are more than a quarter.
  expect(JSON.parse(done.stdout)).toEqual({
    rows: FEW,
    kept: false,
    refused: [
      'ERR_VAE_DATA',
      expect.stringMatching(/table\.csv: about \d+ rows.*this process may have 2 MB\. Leave columns out/),
    ],
  });
});
