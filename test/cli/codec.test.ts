import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { arrayHeader } from '../../src/codecs/lossless/array-file.js';
import { writeNpy } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { runCli } from './run-cli.js';

const cwd = temporaryFolder('cli-codec');
const inside = (...parts: string[]) => join(cwd, ...parts);
const file = Buffer.concat([arrayHeader('idx', [300, 28, 28]), digits(300, 't10k').data]);

beforeAll(async () => {
  await writeFile(inside('digits-idx3-ubyte'), file);
});

it('packs and unpacks a file, and says what came of it', async () => {
  const packed = await runCli(['compress', 'digits-idx3-ubyte', '-m', 'mnist-codec', '-o', 'd.vaez', '--json'], {
    cwd,
  });
  expect(packed.code, packed.stderr).toBe(0);
  const result = JSON.parse(packed.stdout);
  expect(result).toMatchObject({ items: 300, bytesIn: 300 * 784, chunks: 2 });
  expect(result.bitsPerDim).toBeLessThan(1.3);
  expect((await readFile(inside('d.vaez'))).length).toBe(result.bytesOut);

  // The archive names its model, and the package has it.
  const unpacked = await runCli(['decompress', 'd.vaez', '-o', 'out'], { cwd });
  expect(unpacked.code, unpacked.stderr).toBe(0);
  expect(unpacked.stdout).toMatch(/Items +300/);
  expect((await readFile(inside('out', 'digits-idx3-ubyte'))).equals(file)).toBe(true);
});

it('names damaged chunks, fails, and salvages the others', async () => {
  const bytes = await readFile(inside('d.vaez'));
  bytes[bytes.length - 1000]! ^= 1; // in the second and last chunk
  await writeFile(inside('broken.vaez'), bytes);
  const failed = await runCli(['decompress', 'broken.vaez', '-o', 'broken'], { cwd });
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/ERR_VAE_FORMAT: .*1 \(items 256 to 299\).*--salvage/);
  expect(await readdir(inside('broken'))).toEqual([]);
  const salvaged = await runCli(['decompress', 'broken.vaez', '-o', 'broken', '--salvage', '--json'], { cwd });
  expect(salvaged.code, salvaged.stderr).toBe(3);
  expect(JSON.parse(salvaged.stdout).damaged).toMatchObject([{ chunk: 1, firstItem: 256, items: 44 }]);
  const rescued = await readFile(inside('broken', 'digits-idx3-ubyte'));
  expect(rescued.subarray(0, 16 + 256 * 784).equals(file.subarray(0, 16 + 256 * 784))).toBe(true);
});

it('packs and unpacks recordings in folders', async () => {
  const { WavWriter } = await import('../../src/index.js');
  await mkdir(inside('recordings', 'monday'), { recursive: true });
  for (const [index, name] of ['one.wav', 'monday/two.wav'].entries()) {
    const writer = await WavWriter.create(inside('recordings', name), { sampleRate: 8000, channels: 1 + index });
    await writer.write(Float32Array.from({ length: 8000 }, (_, i) => 0.3 * Math.sin(i * (0.05 + index / 10))));
    await writer.close();
  }
  const packed = await runCli(['compress', 'recordings', '-m', 'sound-codec', '-o', 'r.vaez', '--json'], { cwd });
  expect(packed.code, packed.stderr).toBe(0);
  const result = JSON.parse(packed.stdout);
  expect(result.items).toBe(2);
  expect(result.bytesOut).toBeLessThan(result.bytesIn / 3);
  const unpacked = await runCli(['decompress', 'r.vaez', '-o', 'r'], { cwd });
  expect(unpacked.code, unpacked.stderr).toBe(0);
  for (const name of ['one.wav', 'monday/two.wav']) {
    expect((await readFile(inside('r', name))).equals(await readFile(inside('recordings', name)))).toBe(true);
  }
  const wrong = await runCli(['compress', 'recordings', '-m', 'mnist-codec', '-o', 'w.vaez'], { cwd });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/sound-codec/);
});

it('measures a codec beside other compressors', async () => {
  const args = ['bench-codec', 'digits-idx3-ubyte', '-m', 'mnist-codec', '--limit', '64', '--json'];
  const { code, stdout, stderr } = await runCli(args, { cwd });
  expect(code, stderr).toBe(0);
  const { ours, peers, missing } = JSON.parse(stdout);
  const names = peers.map(({ name }: { name: string }) => name);
  expect(names).toEqual(expect.arrayContaining(['gzip -9', 'brotli -11', 'WebP lossless']));
  expect([...names, ...Object.keys(missing)]).toContain('JPEG XL effort 9');
  for (const peer of peers) expect(peer.bytes).toBeGreaterThan(ours.bytes);
});

it('trains a codec that packs data', async () => {
  const small = '{"type":"local-mixture","features":2,"components":2,"above":1,"beside":1,"hidden":[8]}';
  const model = ['--hidden', '16', '--latent', '4', '--likelihood', small, '--epochs', '1'];
  const args = ['train', 'digits-idx3-ubyte', '-o', 'own', '--codec', ...model, '--json'];
  const trained = await runCli(args, { cwd });
  expect(trained.code, trained.stderr).toBe(0);
  const { codec } = JSON.parse(trained.stdout);
  expect(codec.rows).toBe(300);
  expect(codec.bitsPerDim / codec.floatBitsPerDim).toBeLessThan(1.02);
  const packed = await runCli(['compress', 'digits-idx3-ubyte', '-m', 'own', '-o', 'own.vaez', '--json'], { cwd });
  expect(packed.code, packed.stderr).toBe(0);
  expect(JSON.parse(packed.stdout).bitsPerDim).toBeLessThan(codec.bitsPerDim * 1.05);
  const unpacked = await runCli(['decompress', 'own.vaez', '-m', 'own', '-o', 'own-out'], { cwd });
  expect(unpacked.code, unpacked.stderr).toBe(0);
  expect((await readFile(inside('own-out', 'digits-idx3-ubyte'))).equals(file)).toBe(true);
  const levels = '{"type":"chain","latents":[4,2],"hidden":[16,8]}';
  const many = ['--architecture', levels, '--likelihood', small, '--epochs', '1', '--set', 'fit.batchSize=8'];
  const chain = await runCli(['train', 'digits-idx3-ubyte', '-o', 'levels', '--codec', ...many, '--json'], { cwd });
  expect(chain.code, chain.stderr).toBe(0);
  const inLevels = JSON.parse(chain.stdout).codec;
  expect(inLevels.bitsPerDim / inLevels.floatBitsPerDim).toBeLessThan(1.02);
  const pack = await runCli(['compress', 'digits-idx3-ubyte', '-m', 'levels', '-o', 'levels.vaez'], { cwd });
  expect(pack.code, pack.stderr).toBe(0);
  const unpack = await runCli(['decompress', 'levels.vaez', '-m', 'levels', '-o', 'levels-out'], { cwd });
  expect(unpack.code, unpack.stderr).toBe(0);
  expect((await readFile(inside('levels-out', 'digits-idx3-ubyte'))).equals(file)).toBe(true);
  await writeNpy(inside('floats.npy'), { data: new Float32Array(8), shape: [2, 4] });
  const refused = await runCli(['train', 'floats.npy', '-o', 'floats', '--codec'], { cwd });
  expect([refused.code, refused.stderr]).toEqual([expect.any(Number), expect.stringMatching(/8-bit values.*float32/)]);
  expect(refused.code).not.toBe(0);
});

it('says what is wrong', async () => {
  const missing = await runCli(['compress', 'nothing', '-m', 'mnist-codec', '-o', 'x.vaez'], { cwd });
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/ERR_VAE_IO/)]);
  const model = await runCli(['compress', 'digits-idx3-ubyte', '-m', 'mnist-codek', '-o', 'x.vaez'], { cwd });
  expect(model.stderr).toMatch(/no codec model "mnist-codek".*mnist-codec/);
  const usage = await runCli(['compress', 'digits-idx3-ubyte', '-m', 'mnist-codec'], { cwd });
  expect([usage.code, usage.stderr]).toEqual([2, expect.stringMatching(/--out/)]);
});
