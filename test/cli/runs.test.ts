/** Runs are recorded, listed, compared, repeated to the bit, and exported. */
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli as main } from '../../src/cli/run.js';
import { readMetrics, readRunRecord, Vae, WavWriter, writeNpy } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { type CliResult, runCli } from './run-cli.js';

const cwd = temporaryFolder('runs');

/** The command line within this process: what it prints, and the exit code that a shell would see. */
async function call(args: readonly string[], directory = cwd): Promise<CliResult> {
  const before = process.cwd();
  const printed = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    }),
  );
  process.chdir(directory);
  try {
    return { code: await main(args), ...printed };
  } finally {
    process.chdir(before);
    for (const spy of spies) spy.mockRestore();
  }
}

const cli = async (...args: string[]) => {
  const result = await call(args);
  if (result.code !== 0) throw new Error(`node-vae ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result;
};
const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout);
const refused = async (...args: string[]) => {
  const { code, stderr } = await call(args);
  return { code, stderr };
};
const inside = (name: string) => join(cwd, name);
const SMALL = ['--hidden', '32', '--batch-size', '64', '--validation-split', '0.1'];
const write = (name: string, count: number) => {
  const { data, shape } = digits(count);
  return writeNpy(inside(name), { data, shape });
};

beforeAll(async () => {
  await write('digits.npy', 640);
  await cli('train', 'digits.npy', '-o', 'runs/a', ...SMALL, '--latent', '4', '--epochs', '2', '--seed', '9');
  await cli('train', 'digits.npy', '-o', 'runs/b', ...SMALL, '--latent', '3', '--epochs', '1', '--kl-weight', '200');
});

describe('a run directory', () => {
  it('holds what the run was given, on what it ran and what came of it', async () => {
    const record = await readRunRecord(inside('runs/a'));
    expect(record).toMatchObject({
      seed: '9',
      model: { latentDim: 4 },
      parts: [
        {
          outcome: 'done',
          resumed: false,
          command: { path: 'digits.npy', flags: { latent: 4, epochs: 2, validationSplit: 0.1 } },
          settings: { model: { latentDim: 4 }, fit: { epochs: 2, batchSize: 64 } },
          data: {
            rows: 576,
            rowShape: [1, 28, 28],
            dtype: 'uint8',
            fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
          validation: { rows: 64 },
          environment: { versions: { node: process.versions.node }, platform: `${process.platform} ${process.arch}` },
        },
      ],
      result: { epochs: 2, latents: { units: 4 } },
    });
    const lines = await readMetrics(inside('runs/a/metrics.jsonl'));
    const last = lines.findLast((line) => line.kind === 'epoch')!;
    expect(record.result!.validation).toEqual(last.validation);
    expect((await readdir(inside('runs/a'))).sort()).toEqual([
      'checkpoints',
      'config.json',
      'decoder.onnx',
      'encoder.onnx',
      'metrics.jsonl',
      'run.json',
      'summary.json',
      'training',
    ]);
  });
});

describe('runs', () => {
  it('lists them with their figures, and compares their options', async () => {
    const { runs, differences } = await json('runs', '.', '--compare');
    expect(runs).toMatchObject([
      { directory: 'runs/a', state: 'done', epochs: 2, latents: { units: 4 } },
      { directory: 'runs/b', state: 'done', epochs: 1, latents: { units: 3, activeUnits: 0 } },
    ]);
    expect(differences).toMatchObject({ 'model.latentDim': [4, 3], 'fit.epochs': [2, 1], seed: ['9', '0'] });
    expect(differences['fit.klWeight'].at(1)).toBe(200);
    expect(Object.keys(differences)).not.toContain('data.dtype');
    const { stdout } = await cli('runs');
    expect(stdout).toMatch(/^Run +State +Epochs +Loss +Validation +KL +Active/m);
    expect(stdout).toMatch(/^runs\/b +done +1\/1 +\d+\.\d\d +\d+\.\d\d +\d\.\d\d +0\/3 /m);
  });

  it('knows a run that was killed, and leaves out what cannot be read', async () => {
    const record = await readRunRecord(inside('runs/a'));
    const killed = {
      ...record,
      parts: [{ ...record.parts[0]!, outcome: 'running', pid: 2 ** 22 + 1 }],
      result: undefined,
    };
    for (const [name, text] of [
      ['killed', JSON.stringify(killed)],
      ['torn', JSON.stringify(record).slice(0, 200)],
      ['newer', JSON.stringify({ ...record, version: 2 })],
    ] as const) {
      await mkdir(inside(`odd/${name}`), { recursive: true });
      await writeFile(inside(`odd/${name}/run.json`), text);
    }
    const { stdout, stderr } = await cli('runs', 'odd', '--json');
    expect(JSON.parse(stdout).runs).toMatchObject([{ directory: 'odd/killed', state: 'killed' }]);
    expect(stderr).toMatch(/odd\/torn is left out: .*truncated or damaged/);
    expect(stderr).toMatch(/odd\/newer is left out: .*upgrade node-vae/);
    expect(await refused('runs', 'nowhere')).toMatchObject({ code: 1, stderr: expect.stringMatching(/ERR_VAE_IO/) });
  });
});

describe('reproduce', () => {
  it('repeats a run to the bit, resumed ones too, from wherever it is called', async () => {
    const resume = ['--batch-size', '64', '--epochs', '3', '--validation-split', '0.1', '--resume'];
    await cli('train', 'digits.npy', '-o', 'runs/a', ...resume);
    const { stdout } = await call(['reproduce', inside('runs/a'), '--json'], tmpdir());
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ identical: true, changes: [] });
    const record = await readRunRecord(inside('runs/a'));
    expect(record.parts.map(({ resumed }) => resumed)).toEqual([false, true]);
    expect(result.parameters).toBe(record.result!.parameters);
  });

  it('knows named rows again, however their place is written and wherever they lie', async () => {
    const [data, run] = ['sounds/deep/tone.wav', 'runs/sound'];
    await mkdir(inside('sounds/deep'), { recursive: true });
    const file = await WavWriter.create(inside(data), { sampleRate: 8000, channels: 1 });
    await file.write(Float32Array.from({ length: 24_000 }, (_, i) => Math.sin(i * i) / 4));
    await file.close();
    for (const path of [data, `./${data}`, inside('sounds'), 'sounds/', 'sounds/**/*.wav']) {
      await cli('train', path, '-o', run, '--epochs', '1', '--batch-size', '8', '--overwrite');
      const { stdout } = await call(['reproduce', inside(run), '--json'], tmpdir());
      expect(JSON.parse(stdout)).toMatchObject({ identical: true });
    }
    await rename(inside('sounds'), inside('moved'));
    expect(await json('reproduce', run, '--data', 'moved')).toMatchObject({ identical: true });
  });

  it('keeps the repeated run where it is told to', async () => {
    await cli('reproduce', 'runs/b', '-o', 'again');
    await using one = await Vae.load(inside('runs/b'));
    await using other = await Vae.load(inside('again'));
    for (const { name } of one.info.parameters) expect(other.parameter(name)).toEqual(one.parameter(name));
  });

  it('tells of data that changed, a result that differs, and a run without an end', async () => {
    await write('digits.npy', 630);
    const changed = await refused('reproduce', 'runs/b');
    expect(changed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/ERR_VAE_REPRODUCIBILITY: The data are not/),
    });
    await write('digits.npy', 640);
    const path = inside('runs/b/run.json');
    const record = await readRunRecord(inside('runs/b'));
    const other = { ...record, result: { ...record.result!, parameters: '0'.repeat(64) } };
    await writeFile(path, JSON.stringify(other));
    const differing = await refused('reproduce', 'runs/b');
    expect(differing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/REPRODUCIBILITY: The repeated run ended/),
    });
    await writeFile(path, JSON.stringify({ ...record, parts: [{ ...record.parts[0], outcome: 'aborted' }] }));
    const unfinished = await refused('reproduce', 'runs/b');
    expect(unfinished).toMatchObject({ code: 2, stderr: expect.stringMatching(/did not come to its end \(aborted\)/) });
    await writeFile(path, JSON.stringify(record));
  });
});

describe('export', () => {
  it('writes networks and names their inputs and outputs', async () => {
    const report = await json('export', 'runs/a', '-o', 'half', '--fp16');
    expect(report).toMatchObject({ precision: 'float16', difference: { largest: expect.any(Number) } });
    expect(report.difference.largest).toBeLessThan(0.01);
    const described = JSON.parse(await readFile(inside('half/export.json'), 'utf8'));
    expect(described.networks).toMatchObject([
      { file: 'encoder.onnx', inputs: [{ name: 'input', dtype: 'float32', shape: [-1, 1, 28, 28] }] },
      { file: 'decoder.onnx', inputs: [{ name: 'latent', dtype: 'float32', shape: [-1, 4] }] },
    ]);
    expect((await stat(inside('half/decoder.onnx'))).size).toBe(report.networks[1].byteLength);
  });

  it('refuses what contradicts itself, and to write over an export', async () => {
    expect(await refused('export', 'mnist-mlp', '-o', 'x', '--int8')).toMatchObject({ code: 2 });
    expect((await refused('export', 'mnist-mlp', '-o', 'half')).stderr).toMatch(/--overwrite/);
  });
});

describe('train --dry-run', () => {
  it('tells shapes, memory and time, and writes nothing', async () => {
    const before = await readdir(cwd);
    const estimate = await json('train', 'digits.npy', ...SMALL, '--latent', '4', '--epochs', '5', '--dry-run');
    const parameters = 784 * 32 + 32 + 2 * (32 * 4 + 4) + 4 * 32 + 32 + 32 * 784 + 784;
    expect(estimate).toMatchObject({
      dryRun: true,
      parameterCount: parameters,
      stepsPerEpoch: 9,
      steps: 45,
      shapes: { input: [64, 1, 28, 28], latent: [64, 4] },
      memory: { parameters: 4 * parameters, gradients: 4 * parameters, optimizer: 8 * parameters },
    });
    expect(estimate.measured.seconds).toBeGreaterThan(45 * estimate.measured.secondsPerStep * 0.99);
    expect(await readdir(cwd)).toEqual(before);
  });
});

it('a second run in the directory of one under way is told to wait', { timeout: 180_000 }, async () => {
  let second: Promise<{ code: number | null; stderr: string }> | undefined;
  const first = runCli(['train', 'digits.npy', '-o', 'shared', ...SMALL, '--epochs', '40000'], {
    cwd,
    onStderr: (child, stderr) => {
      // The table's first line: the run is under way.
      if (!second && /1\/40000/.test(stderr)) {
        second = refused('train', 'digits.npy', '-o', 'shared', ...SMALL, '--epochs', '1', '--overwrite').finally(() =>
          child.kill('SIGINT'),
        );
      }
    },
  });
  expect((await first).code).toBe(130);
  expect(await second).toMatchObject({ code: 1, stderr: expect.stringMatching(/ERR_VAE_BUSY: Another run/) });
  // The first run's model is whole, and can go on.
  await using vae = await Vae.load(inside('shared'));
  expect(vae.info.trainedEpochs).toBeGreaterThan(0);
  expect((await readRunRecord(inside('shared'))).parts).toMatchObject([{ outcome: 'aborted' }]);
});
