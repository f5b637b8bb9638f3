/** `archive info` and `archive test`, with and without the model, on whole and damaged archives. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compress, inspectArchive } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { decodeCodecModel } from '../../src/codecs/lossless/codec-model.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { readIdx } from '../../src/data/index.js';
import { ROOT } from '../binding/compiled.js';
import { MNIST, runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('inspect');
const at = (...parts: string[]) => join(folder, ...parts);
let codec: Codec;

beforeAll(async () => {
  // A model that the package does not have: that of digits under another name.
  await using shipped = await Codec.load(join(ROOT, 'models', 'mnist-codec'));
  codec = await Codec.make([28, 28], decodeCodecModel(shipped.file, 'mnist-codec').spec);
  await codec.save(at('model'));
  await mkdir(at('in', 'empty'), { recursive: true });
  const digits = await readIdx(join(MNIST, 't10k-images-idx3-ubyte'), { labels: false });
  const rows = Array.from({ length: 40 }, (_, row) => row);
  const items = (await digits.read(rows)) as Uint8Array;
  for (const row of rows) {
    const png = await encodePng(items.subarray(784 * row, 784 * (row + 1)), [28, 28]);
    await writeFile(at('in', `${String(row).padStart(2, '0')}.png`), png);
  }
  await writeFile(at('in', 'notes.txt'), 'kept as it is '.repeat(400));
  await compress(at('in'), { model: codec, output: at('x.vaez'), chunkItems: 10 });
});
afterAll(() => codec.close());

describe('archives without their model', () => {
  it('info names everything', async () => {
    const report = await inspectArchive(at('x.vaez'));
    expect(report).toMatchObject({ kind: 'images', items: 40, complete: true, damaged: [], model: codec.identity });
    expect(report.files).toHaveLength(42);
    const { code, stdout } = await runCli(['archive', 'info', 'x.vaez'], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout).toContain('42: 00.png');
  });

  it('test tells what it could test, with exit code 3', async () => {
    const report = await inspectArchive(at('x.vaez'), { decode: true });
    expect(report.untested).toBeGreaterThan(0);
    expect(report).toMatchObject({ damaged: [], chunks: 6 });
    expect(report.untested).toBeLessThan(6);
    const { code, stdout } = await runCli(['archive', 'test', 'x.vaez'], { cwd: folder });
    expect(code).toBe(3);
    expect(stdout).toContain('the others need the model, give it with -m');
  });

  it('with the model, everything is tested', async () => {
    const { code, stdout } = await runCli(['archive', 'test', 'x.vaez', '-m', 'model'], { cwd: folder });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('everything decodes') });
    expect(await inspectArchive(at('x.vaez'), { model: codec, decode: true })).toMatchObject({ untested: 0 });
  });

  it('damage is found without the model where no model coded it', async () => {
    const bytes = await readFile(at('x.vaez'));
    // Before the header's copy and the index.
    const where = bytes.length - 600;
    const found = new Set<number>();
    for (let offset = 100; offset < where; offset += 97) {
      const broken = Buffer.from(bytes);
      broken[offset]! ^= 16;
      await writeFile(at('broken.vaez'), broken);
      found.add((await inspectArchive(at('broken.vaez'), { decode: true })).damaged.length);
      const complete = await inspectArchive(at('broken.vaez'), { decode: true, model: codec });
      expect(complete.damaged.length + Number(complete.headerLost !== undefined) + Number(!complete.complete)).toBe(1);
    }
    expect([...found].sort()).toEqual([0, 1]);
    const { code, stderr } = await runCli(['archive', 'test', 'broken.vaez', '-m', 'model'], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toContain('1 of 6 chunks are damaged');
  });
});
