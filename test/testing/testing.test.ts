import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { expectClose, fixtureModel, fixtureRows, matchArray, matchBytes } from '../../src/entries/testing/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('testing');
beforeEach(() => {
  vi.stubEnv('CI', '');
  vi.stubEnv('NODE_VAE_UPDATE_SNAPSHOTS', '');
});
afterEach(() => vi.unstubAllEnvs());

it('makes a model that does all that a model does', async () => {
  const vae = await fixtureModel({ seed: 3 });
  const rows = fixtureRows(vae.dataShape, 16);
  expect((await vae.encode(rows)).mean.dims).toEqual([16, 2]);
  expect((await vae.sample(3)).dims).toEqual([3, 1, 8, 8]);
  expect((await vae.score(rows)).elbo).toHaveLength(16);
  await vae.fit(rows, { epochs: 1 });
  await vae.close();
  const [a, b, c] = await Promise.all([
    fixtureModel({ seed: 3 }),
    fixtureModel({ seed: 3 }),
    fixtureModel({ seed: 4 }),
  ]);
  const [x, y, z] = await Promise.all([a, b, c].map(async (model) => (await model.encode(rows)).mean.data));
  expect(x).toEqual(y);
  expect(x).not.toEqual(z);
  const conditional = await fixtureModel({ classes: 3, side: 4, channels: 3 });
  expect((await conditional.sample(2, { labels: 1 })).dims).toEqual([2, 3, 4, 4]);
  await Promise.all([a, b, c, conditional].map((model) => model.close()));
  await expect(fixtureModel({ sed: 1 } as object)).rejects.toThrow(/did you mean "seed"/);
});

it('makes the same rows everywhere', () => {
  const { data, shape } = fixtureRows([1, 2, 2], 2, 5);
  expect(shape).toEqual([2, 1, 2, 2]);
  expect([...data].every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(data).size).toBe(8);
  expect(fixtureRows([1, 2, 2], 2, 5).data).toEqual(data);
  expect(fixtureRows([1, 2, 2], 2, 6).data).not.toEqual(data);
  expect(() => fixtureRows([-1], 2)).toThrow(/whole sides/);
});

it('tells which value differs', () => {
  expectClose([1, 2, 3], Float32Array.of(1, 2, 3));
  expectClose({ data: Float32Array.of(1, 2), shape: [2, 1] }, { data: Float64Array.of(1, 2.000001), shape: [2, 1] });
  expect(() => expectClose([1, 2, 3], [1, 2.1, 3.5])).toThrow(/2 of 3 values.*index 1: expected 2.1, received 2;.*0.5/);
  expect(() => expectClose([Number.NaN], [1])).toThrow(/received NaN/);
  expect(() => expectClose([1, 2], [1])).toThrow(/expected shape \[1\], received \[2\]/);
});

it('holds arrays and bytes against files', async () => {
  const path = join(folder, 'means.npy');
  await matchArray(path, { data: Float32Array.of(1, 2), shape: [2, 1] });
  await matchArray(path, { data: Float32Array.of(1, 2.000001), shape: [2, 1] });
  await expect(matchArray(path, { data: Float32Array.of(1, 3), shape: [2, 1] })).rejects.toThrow(
    /means.npy.*index 1.*UPDATE/,
  );
  vi.stubEnv('NODE_VAE_UPDATE_SNAPSHOTS', '1');
  await matchArray(path, { data: Float32Array.of(1, 3), shape: [2, 1] });
  vi.stubEnv('NODE_VAE_UPDATE_SNAPSHOTS', '');
  await matchArray(path, { data: Float32Array.of(1, 3), shape: [2, 1] });
  const bytes = join(folder, 'kept.vaez');
  await matchBytes(bytes, Uint8Array.of(1, 2, 3));
  await matchBytes(bytes, Uint8Array.of(1, 2, 3));
  await expect(matchBytes(bytes, Uint8Array.of(1, 9, 3))).rejects.toThrow(/from byte 1 on/);
  await expect(matchBytes(bytes, Uint8Array.of(1, 2))).rejects.toThrow(/received 2.*from byte 2 on/);
  expect(readFileSync(bytes)).toEqual(Buffer.of(1, 2, 3));
  vi.stubEnv('CI', 'true');
  await expect(matchBytes(join(folder, 'missing'), Uint8Array.of(1))).rejects.toThrow(/no such file/);
  writeFileSync(join(folder, 'short'), '');
  await expect(matchBytes(join(folder, 'short'), Uint8Array.of(1))).rejects.toThrow(/from byte 0 on/);
});
