/** The inference session on small models, beside onnxruntime-node running the same. */
import { InferenceSession as Peer, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NativeInferenceSession, NativeTensor } from '../../src/binding/addon.js';
import { linkAbort, loadAddon, loadRuntime } from '../../src/binding/index.js';
import { GraphBuilder, writeModel } from '../../src/graph/index.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { dataDependentModel, denseModel, slowModel } from './models.js';

const addon = loadAddon();
const open = (model: Uint8Array | string, options = {}) => addon.createInferenceSession(model, options);
const failure = (code: string, message: RegExp) =>
  expect.objectContaining({ name: 'VaeError', code, message: expect.stringMatching(message) });

const WIDTH = 24;
const OUTPUTS = 5;

function rows(count: number, phase = 0): NativeTensor {
  const data = Float32Array.from({ length: count * WIDTH }, (_, i) => Math.sin(i * 1.3 + phase));
  return { dtype: 'float32', dims: [count, WIDTH], data };
}

describe('a small model', () => {
  const model = denseModel(WIDTH, OUTPUTS);
  let session: NativeInferenceSession;
  let peer: Peer;

  beforeAll(async () => {
    session = await open(model);
    peer = await Peer.create(model);
  });
  afterAll(() => session.close());

  test('describes its inputs and outputs', () => {
    expect(session.inputs).toEqual([{ name: 'x', dtype: 'float32', dims: [-1, WIDTH], symbols: ['N', ''] }]);
    expect(session.outputs).toEqual([
      { name: 'y', dtype: 'float32', dims: [-1, OUTPUTS], symbols: ['N', ''] },
      { name: 'sum', dtype: 'float32', dims: [-1], symbols: ['N'] },
    ]);
  });

  test('computes what onnxruntime-node computes, first and repeated runs alike', async () => {
    for (const count of [1, 7, 1, 64, 7, 1, 200, 64]) {
      for (let repeat = 0; repeat < 3; repeat += 1) {
        const x = rows(count, repeat);
        const expected = await peer.run({ x: new Tensor('float32', x.data as Float32Array, x.dims) });
        const [sum, y] = await session.run({ x }, [{ name: 'sum' }, { name: 'y' }]);
        expect(y).toEqual({ dtype: 'float32', dims: [count, OUTPUTS], data: expected['y']!.data });
        expect(sum).toEqual({ dtype: 'float32', dims: [count], data: expected['sum']!.data });
      }
    }
  });

  test('gives each run memory of its own', async () => {
    const first = await session.run({ x: rows(4) }, [{ name: 'y' }]);
    const copy = first[0]!.data.slice();
    const second = await session.run({ x: rows(4, 2) }, [{ name: 'y' }]);
    expect(second[0]!.data.buffer).not.toBe(first[0]!.data.buffer);
    expect(first[0]!.data).toEqual(copy);
    expect(second[0]!.data).not.toEqual(copy);
  });

  test.each([false, true])('writes into a given array, dims given: %s', async (withDims) => {
    for (let repeat = 0; repeat < 3; repeat += 1) {
      const buffer = new Float32Array(3 * OUTPUTS + 4).fill(-7);
      const into = buffer.subarray(2, 2 + 3 * OUTPUTS);
      const dims = withDims ? { dims: [3, OUTPUTS] } : {};
      const [y] = await session.run({ x: rows(3, repeat) }, [{ name: 'y', into, ...dims }]);
      const [fresh] = await session.run({ x: rows(3, repeat) }, [{ name: 'y' }]);
      expect(y!.data).toBe(into);
      expect(into).toEqual(fresh!.data);
      expect([buffer[0], buffer[1], buffer.at(-1), buffer.at(-2)]).toEqual([-7, -7, -7, -7]);
    }
  });

  test('takes an input that is a part of a larger array', async () => {
    const { data } = rows(6);
    const part = (data as Float32Array).subarray(2 * WIDTH, 4 * WIDTH);
    const [all] = await session.run({ x: rows(6) }, [{ name: 'y' }]);
    const [some] = await session.run({ x: { dtype: 'float32', dims: [2, WIDTH], data: part } }, [{ name: 'y' }]);
    expect(some!.data).toEqual(all!.data.slice(2 * OUTPUTS, 4 * OUTPUTS));
  });

  test('runs many at once, each with its own result', async () => {
    const expected = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => (await session.run({ x: rows(1 + i, i) }, [{ name: 'sum' }]))[0]!.data),
    );
    for (let round = 0; round < 5; round += 1) {
      const results = await Promise.all(
        Array.from({ length: 200 }, (_, i) => session.run({ x: rows(1 + (i % 8), i % 8) }, [{ name: 'sum' }])),
      );
      results.forEach(([sum], i) => {
        expect(sum!.data).toEqual(expected[i % 8]);
      });
    }
  });

  test.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['a missing input', () => session.run({}, [{ name: 'y' }]), 'ERR_VAE_SHAPE', /input 'x'.*not given/],
    [
      'another width',
      () => session.run({ x: { dtype: 'float32', dims: [2, 3], data: new Float32Array(6) } }, [{ name: 'y' }]),
      'ERR_VAE_SHAPE',
      /expected shape \[\?,24\], received \[2,3\]/,
    ],
    [
      'another rank',
      () => session.run({ x: { dtype: 'float32', dims: [24], data: new Float32Array(24) } }, [{ name: 'y' }]),
      'ERR_VAE_SHAPE',
      /expected shape/,
    ],
    [
      'an array that its shape does not fill',
      () => session.run({ x: { dtype: 'float32', dims: [2, WIDTH], data: new Float32Array(5) } }, [{ name: 'y' }]),
      'ERR_VAE_SHAPE',
      /has 48 elements, the array has 5/,
    ],
    [
      'another element type',
      () => session.run({ x: { dtype: 'float64', dims: [1, WIDTH], data: new Float64Array(24) } }, [{ name: 'y' }]),
      'ERR_VAE_SHAPE',
      /expected float32 data in a Float32Array, received a Float64Array/,
    ],
    ['an unknown output', () => session.run({ x: rows(1) }, [{ name: 'z' }]), 'ERR_VAE_OPTION', /no output 'z'/],
    ['no outputs', () => session.run({ x: rows(1) }, []), 'ERR_VAE_OPTION', /at least one output/],
    [
      'an array too small for the output',
      () => session.run({ x: rows(2) }, [{ name: 'y', into: new Float32Array(3) }]),
      'ERR_VAE_SHAPE',
      /10 elements; the array given for it holds 3/,
    ],
    [
      'dims that the output does not have',
      () => session.run({ x: rows(2) }, [{ name: 'y', into: new Float32Array(OUTPUTS * 3), dims: [3, OUTPUTS] }]),
      'ERR_VAE_SHAPE',
      /has shape \[2,5\]/,
    ],
    [
      'something that is no abort flag',
      () => session.run({ x: rows(1) }, [{ name: 'y' }], {} as never),
      'ERR_VAE_OPTION',
      /AbortFlag/,
    ],
  ])('rejects %s, before and after shapes are known', async (_, run, code, message) => {
    for (let repeat = 0; repeat < 2; repeat += 1) {
      await expect(run()).rejects.toEqual(failure(code, message));
      await session.run({ x: rows(2) }, [{ name: 'y' }]);
    }
  });
});

test('an output whose shape depends on values is right every time', async () => {
  const session = await open(dataDependentModel());
  for (const values of [
    [1, 0, 2, 0],
    [0, 0, 0, 3],
    [1, 1, 1, 1],
    [0, 5, 0, 0],
    [0, 0, 0, 0],
    [0, 5, 6, 0],
  ]) {
    const expected = values.flatMap((value, index) => (value === 0 ? [] : [BigInt(index)]));
    const x: NativeTensor = { dtype: 'float32', dims: [4], data: Float32Array.from(values) };
    const [indices] = await session.run({ x }, [{ name: 'indices' }]);
    expect(indices!.dims).toEqual([1, expected.length]);
    expect([...(indices!.data as BigInt64Array)]).toEqual(expected);
    const into = new BigInt64Array(expected.length);
    if (into.length > 0) {
      await session.run({ x }, [{ name: 'indices', into }]);
      expect([...into]).toEqual(expected);
    }
  }
  await session.close();
});

test('every element type goes in and comes out unchanged', async () => {
  const arrays = {
    float32: Float32Array.of(1.5, -2),
    float64: Float64Array.of(1.25, -2),
    float16: Uint16Array.of(0x3c00, 0xc000),
    bfloat16: Uint16Array.of(0x3f80, 0xc000),
    int8: Int8Array.of(-1, 2),
    int16: Int16Array.of(-300, 2),
    int32: Int32Array.of(-70000, 2),
    int64: BigInt64Array.of(-(2n ** 40n), 2n),
    uint8: Uint8Array.of(255, 2),
    uint16: Uint16Array.of(65535, 2),
    uint32: Uint32Array.of(4294967295, 2),
    uint64: BigUint64Array.of(2n ** 60n, 2n),
    bool: Uint8Array.of(1, 0),
  } as const;
  for (const [dtype, data] of Object.entries(arrays) as [keyof typeof arrays, (typeof arrays)['int8']][]) {
    const builder = new GraphBuilder();
    builder.output('out', builder.op('Identity', [builder.input('in', dtype, ['N'])]));
    const session = await open(writeModel(builder.model));
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const [out] = await session.run({ in: { dtype, dims: [2], data } }, [{ name: 'out' }]);
      expect(out, dtype).toEqual({ dtype, dims: [2], data });
    }
    await session.close();
  }
});

describe('loading', () => {
  test('says which runtime it is', () => {
    const runtime = loadRuntime();
    expect(runtime.version).toMatch(/^1\.\d+\.\d+$/);
    expect(runtime.providers).toContain('CPUExecutionProvider');
  });

  test.each<[string, Uint8Array | string, string]>([
    ['a file that is not there', '/no/such/model.onnx', 'ERR_VAE_IO'],
    ['bytes that are no model', new TextEncoder().encode('not a model at all'), 'ERR_VAE_FORMAT'],
    ['a model cut short', denseModel(4, 3).slice(0, 80), 'ERR_VAE_FORMAT'],
    ['nothing', new Uint8Array(0), 'ERR_VAE_FORMAT'],
  ])('rejects %s', async (_, model, code) => {
    await expect(open(model)).rejects.toEqual(failure(code, /model/i));
  });

  test('rejects providers that are unknown, or not there, with the names there are', async () => {
    const model = denseModel(4, 3);
    await expect(open(model, { providers: [{ name: 'abacus' }] })).rejects.toEqual(
      failure('ERR_VAE_OPTION', /'abacus'; expected one of cpu, cuda/),
    );
    await expect(open(model, { providers: [{ name: 'coreml' }, { name: 'dml' }] })).rejects.toEqual(
      failure('ERR_VAE_BINDING', /not in the ONNX Runtime library .*CPUExecutionProvider/),
    );
  });

  test('rejects options out of range', async () => {
    const model = denseModel(4, 3);
    await expect(open(model, { intraOpThreads: -1 })).rejects.toEqual(failure('ERR_VAE_OPTION', /intraOpThreads/));
    await expect(open(model, { optimizationLevel: 3 })).rejects.toEqual(failure('ERR_VAE_OPTION', /optimizationLevel/));
    await expect(open(model, { spin: 'yes' })).rejects.toEqual(failure('ERR_VAE_OPTION', /boolean/));
  });
});

describe('closing and aborting', () => {
  const LAYERS = 400;
  const SIZE = 256;
  const slow = (): NativeTensor => ({
    dtype: 'float32',
    dims: [64, SIZE],
    data: new Float32Array(64 * SIZE).fill(0.5),
  });

  test('close() waits for runs in flight, may be called again, and refuses later use', async () => {
    const session = await open(slowModel(LAYERS, SIZE));
    const order: string[] = [];
    const run = session.run({ x: slow() }, [{ name: 'y' }]).then(() => order.push('run'));
    const closed = [session.close(), session.close()].map((promise) => promise.then(() => order.push('close')));
    await expect(session.run({ x: slow() }, [{ name: 'y' }])).rejects.toEqual(failure('ERR_VAE_DISPOSED', /close/));
    await Promise.all([run, ...closed]);
    expect(order).toEqual(['run', 'close', 'close']);
    await session.close();
    expect(() => session.endProfiling()).toThrow(failure('ERR_VAE_DISPOSED', /close/));
  });

  test('a signal ends a run in progress with its reason', async () => {
    const session = await open(slowModel(LAYERS, SIZE));
    await session.run({ x: slow() }, [{ name: 'y' }]);
    // The best of some tries: the machine may be busy with other things.
    const shares: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const started = performance.now();
      await session.run({ x: slow() }, [{ name: 'y' }]);
      const whole = performance.now() - started;
      const controller = new AbortController();
      const link = linkAbort(addon, controller.signal);
      const begun = performance.now();
      const run = link.wait(session.run({ x: slow() }, [{ name: 'y' }], link.flag));
      setTimeout(() => controller.abort(new Error('enough')), whole / 10);
      // A timer that came too late leaves a whole run.
      const outcome = await run.catch((error: Error) => error.message);
      if (typeof outcome === 'string') expect(outcome).toBe('enough');
      shares.push((performance.now() - begun) / whole);
      link[Symbol.dispose]();
    }
    expect(Math.min(...shares)).toBeLessThan(0.75);

    // The same threads serve others afterwards.
    for (let i = 0; i < 4; i += 1) await session.run({ x: slow() }, [{ name: 'y' }]);
    await session.close();
  });

  test('a signal that has fired keeps the run from starting', async () => {
    expect(() => linkAbort(addon, AbortSignal.abort(new Error('before')))).toThrow('before');
    const session = await open(denseModel(WIDTH, OUTPUTS));
    const flag = new addon.AbortFlag();
    flag.abort();
    expect(flag.aborted).toBe(true);
    await expect(session.run({ x: rows(1) }, [{ name: 'y' }], flag)).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    );
    await session.close();
  });

  test('the event loop turns while a model runs', async () => {
    const session = await open(slowModel(LAYERS, SIZE));
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    const started = performance.now();
    await session.run({ x: slow() }, [{ name: 'y' }]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan((performance.now() - started) / 20);
    await session.close();
  });
});

test('profiling writes a trace, once, and only where asked for', async () => {
  const { readFile } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const folder = temporaryFolderOfTest('profile');
  const session = await open(denseModel(WIDTH, OUTPUTS), { profilePrefix: join(folder, 'trace') });
  await session.run({ x: rows(2) }, [{ name: 'y' }]);
  const trace = session.endProfiling();
  expect(JSON.parse(await readFile(trace, 'utf8')).length).toBeGreaterThan(3);
  expect(() => session.endProfiling()).toThrow(failure('ERR_VAE_RUNTIME', /profilePrefix/));
  await session.close();
});
