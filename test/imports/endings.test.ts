/**
 * Every ending of a decoder, in the forms of both exporters, at every opset, under every likelihood: what decode()
 * gives, and what the files give that save() writes, held against onnxruntime-node's run of the file that came.
 */
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { readModel } from '../../src/graph/index.js';
import type { FromOnnxOptions } from '../../src/index.js';
import { Vae } from '../../src/index.js';
import { LIKELIHOOD_NAMES } from '../../src/nn/likelihoods/index.js';
import { temporaryFolder } from '../support/temporary.js';
import {
  DATA,
  decoderOf,
  ENDINGS,
  type Ending,
  EXPORTERS,
  type Exporter,
  encoderOf,
  LATENT,
  OPSETS,
} from './graphs.js';

const folder = temporaryFolder('endings');

const ROWS = 24;
const latents = Float32Array.from({ length: ROWS * LATENT }, (_, i) => 2 * Math.sin(1.3 * i + 0.4));
/** Of so many levels from 0 to 1, where a likelihood is defined on these only. */
const rowsOf = (levels: number) => ({
  data: Float32Array.from({ length: 10 * DATA }, (_, i) => (i % levels) / (levels - 1)),
  shape: [10, DATA],
});

async function runFile(model: Uint8Array | string, feed = latents, width = LATENT): Promise<Float64Array> {
  const session = await InferenceSession.create(model as string);
  const outputs = await session.run({
    [session.inputNames[0]!]: new Tensor('float32', feed, [feed.length / width, width]),
  });
  await session.release();
  return Float64Array.from(outputs[session.outputNames[0]!]!.data as Float32Array);
}

type Likelihood = NonNullable<FromOnnxOptions['likelihood']>;
type Head = Float64Array;

const sigma = (l: number): number => 1 / (1 + Math.exp(-l));
const logit = (p: number): number => Math.log(p) - Math.log1p(-p);
/** Loaiza-Ganem and Cunningham 2019, equation 8, with λ = σ(l). */
const continuousMean = (l: number): number => (Math.abs(l) < 1e-3 ? 0.5 + l / 12 : 1 / -Math.expm1(-l) - 1 / l);

/** For [N, parts, DATA]: a value for each of the data, of its parts. */
function each(head: Head, parts: number, mean: (parts: number[]) => number): number[] {
  const result: number[] = [];
  for (let row = 0; row < head.length; row += parts * DATA) {
    for (let at = 0; at < DATA; at += 1) {
      result.push(mean(Array.from({ length: parts }, (_, part) => head[row + part * DATA + at]!)));
    }
  }
  return result;
}

function expected(p: readonly number[]): number {
  return p.reduce((sum, value, level) => sum + (value * level) / (p.length - 1), 0);
}
function softmax(l: readonly number[]): number[] {
  const total = l.reduce((sum, value) => sum + Math.exp(value), 0);
  return l.map((value) => Math.exp(value) / total);
}
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const limited = (x: number, limit: number): number => Math.min(Math.max(x, -limit), limit);

interface Case {
  readonly likelihood: Likelihood;
  /** Parts of each value of the data that the decoder gives. */
  readonly parts?: number;
  /** The mean of what the file gives, in float64. */
  readonly mean: (head: Head, values: 'logits' | 'probabilities') => ArrayLike<number>;
  /** Whether it must know if it is given logits or probabilities. */
  readonly asks?: true;
  /** Of decode() beside the file that came. Default 2e-6. */
  readonly tolerance?: number;
  /** Endings that it has a meaning for. Default: all. */
  readonly endings?: Readonly<Record<string, Ending>>;
}

const OVER_LEVELS: Readonly<Record<string, Ending>> = {
  linear: ENDINGS['linear']!,
  softmax: { end: (w, x) => w.op('Softmax', [x], { axis: 1 }), values: 'probabilities' },
  'softmax, clamped': {
    end: (w, x) => w.op('Clip', [w.op('Softmax', [x], { axis: 1 }), w.number(1e-7), w.number(1)]),
    values: 'probabilities',
  },
  'logarithms of softmax': { end: (w, x) => w.op('LogSoftmax', [x], { axis: 1 }), values: 'logits' },
  'softmax, another layout': {
    end: (w, x) =>
      w.op('Transpose', [w.op('Softmax', [w.op('Transpose', [x], { perm: [0, 2, 1] })], { axis: -1 })], {
        perm: [0, 2, 1],
      }),
    values: 'probabilities',
  },
};
const PLAIN = { linear: ENDINGS['linear']! };

/** Every likelihood; a new one must be added here. */
const CASES: Readonly<Record<string, readonly Case[]>> = {
  bernoulli: [
    { likelihood: 'bernoulli', mean: (head, values) => (values === 'logits' ? head.map(sigma) : head), asks: true },
  ],
  'continuous-bernoulli': [
    {
      likelihood: 'continuous-bernoulli',
      mean: (head, values) => head.map((v) => continuousMean(values === 'logits' ? v : limited(logit(v), 100))),
      asks: true,
      // The logit of a probability in float32 is that uncertain.
      tolerance: 5e-5,
    },
  ],
  gaussian: (['learned', 'optimal', 'perDimension', 0.1] as const).map((variance) => ({
    likelihood: { type: 'gaussian', variance },
    mean: (head) => head,
    // All of them take the output as it is.
    ...(variance !== 'learned' && { endings: PLAIN }),
  })),
  laplace: [{ likelihood: 'laplace', mean: (head) => head }],
  table: [{ likelihood: { type: 'table', numeric: DATA }, mean: (head) => head, endings: PLAIN }],
  categorical: [
    {
      likelihood: { type: 'categorical', levels: 5 },
      parts: 5,
      mean: (head, values) => each(head, 5, (p) => expected(values === 'logits' ? softmax(p) : p)),
      asks: true,
      endings: OVER_LEVELS,
    },
  ],
  'beta-binomial': [
    {
      likelihood: 'beta-binomial',
      parts: 2,
      mean: (head) => each(head, 2, (p) => sigma(limited(p[0]!, 7) - limited(p[1]!, 7))),
      endings: PLAIN,
    },
  ],
  'discretised-logistic': [
    {
      likelihood: 'discretised-logistic',
      parts: 2,
      mean: (head) =>
        each(head, 2, ([raw, scale]) => {
          const s = Math.exp(Math.min(Math.max(scale! + 2.5, -2.5), 5.5)) / 255;
          return s * (softplus((raw! + 0.5) / s) - softplus((raw! - 0.5) / s));
        }),
      endings: PLAIN,
    },
  ],
  // Its mean has a network of its own.
  'local-mixture': [],
};

async function check(one: Case, ending: Ending, exporter: Exporter, opset: number): Promise<void> {
  const { likelihood, parts = 1 } = one;
  // Of 256 levels, fifths of 255 are some.
  const rows = rowsOf(parts === 2 ? 6 : 5);
  const decoder = decoderOf(exporter, opset, ending.end, parts === 1 ? [DATA] : [parts, DATA]);
  const encoder = encoderOf(exporter, opset, { heads: (_, mu, logvar) => ({ mu, logvar }) });
  const given = await runFile(decoder);
  const ask = ending.values === 'ask' && one.asks;
  if (ask) {
    await expect(Vae.fromOnnx({ encoder, decoder, likelihood })).rejects.toMatchObject({
      code: 'ERR_VAE_OPTION',
      message: expect.stringMatching(
        /"y" may hold logits or probabilities.*output: 'logits'.*output: 'probabilities'/s,
      ),
    });
  }
  for (const values of ask ? (['logits', 'probabilities'] as const) : [ending.values as 'logits']) {
    // What lies outside 0 and 1 is refused as probabilities whatever the caller says.
    const outside = given.some((value) => value < -1e-5 || value > 1 + 1e-5);
    if (ask && values === 'probabilities' && outside) continue;
    await using vae = await Vae.fromOnnx({ encoder, decoder, likelihood, ...(ask && { output: values }) });
    const wanted = Float64Array.from(one.mean(given, values));
    const z = { data: latents, shape: [ROWS, LATENT] };
    const decoded = (await vae.decode(z)).data as Float32Array;
    expectNear(decoded, wanted, one.tolerance ?? 2e-6, 'decode() and the file that came');
    // Where nothing is put behind the output, one ending is saved as any other.
    if (!one.asks && ending !== ENDINGS['linear']) continue;
    const home = join(folder, 'saved');
    await vae.save(home);
    expectNear(await runFile(join(home, 'decoder.onnx')), decoded, 1e-6, 'the file that was saved and decode()');
    for (const half of ['encoder', 'decoder']) {
      expect(
        (await readModel(join(home, `${half}.onnx`), { keepOpset: true })).opsets.get(''),
        `opset of ${half}`,
      ).toBe(opset);
    }
    await using again = await Vae.load(home);
    expectNear((await again.decode(z)).data as Float32Array, decoded, 1e-6, 'loaded again');
    expect((await again.score(rows, { seed: 3 })).elbo).toEqual((await vae.score(rows, { seed: 3 })).elbo);
  }
}

function expectNear(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number, what: string): void {
  expect(found.length, what).toBe(wanted.length);
  let worst = 0;
  for (let index = 0; index < found.length; index += 1) {
    const error = Math.abs(found[index]! - wanted[index]!) / Math.max(1, Math.abs(wanted[index]!));
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  expect(worst, what).toBeLessThan(tolerance);
}

interface Run {
  readonly name: string;
  readonly one: Case;
  readonly title: string;
  readonly ending: Ending;
  readonly exporter: Exporter;
  readonly opset: number;
}

/**
 * Every ending under every likelihood in both forms, each at some of the opsets only, since all at all take minutes: the
 * opsets are dealt out like cards among the pairs of likelihood and form that share a list of endings. So every opset
 * still meets every ending, and every likelihood in both forms. The first test below holds it to that.
 */
function deal(): Run[] {
  const lists = new Map<object, { readonly name: string; readonly one: Case }[]>();
  for (const [name, cases] of Object.entries(CASES)) {
    for (const one of cases) {
      // Of those with a single ending, each is a list of its own.
      const key = one.endings === undefined ? ENDINGS : one;
      lists.set(key, [...(lists.get(key) ?? []), { name, one }]);
    }
  }
  return [...lists.values()].flatMap((members) => {
    const hands = members.length * EXPORTERS.length;
    return members.flatMap(({ name, one }, member) =>
      EXPORTERS.flatMap((exporter, form) =>
        Object.entries(one.endings ?? ENDINGS).flatMap(([title, ending], place) =>
          OPSETS.filter((_, index) => (index + place + EXPORTERS.length * member + form) % hands === 0).map(
            (opset) => ({ name, one, title, ending, exporter, opset }),
          ),
        ),
      ),
    );
  });
}
const RUNS = deal();

const pairs = (...keys: (keyof Run)[]) =>
  new Set(RUNS.map((run) => JSON.stringify(keys.map((key) => (key === 'one' ? run.one.likelihood : run[key]))))).size;

test('every likelihood is looked at, with every ending in both forms, and every opset with each of them', () => {
  expect(Object.keys(CASES).sort()).toEqual([...LIKELIHOOD_NAMES].sort());
  const all = Object.values(CASES).flat();
  const endings = (one: Case) => Object.keys(one.endings ?? ENDINGS);
  const both = all.reduce((sum, one) => sum + endings(one).length, 0);
  const titles = new Set(all.flatMap(endings)).size;
  expect(pairs('one', 'title', 'exporter')).toBe(both * EXPORTERS.length);
  expect(pairs('one', 'opset')).toBe(all.length * OPSETS.length);
  expect(pairs('title', 'opset')).toBe(titles * OPSETS.length);
});

describe.each(OPSETS)('opset %i', (opset) => {
  describe.each(EXPORTERS)('as %s writes it', (exporter) => {
    const here = RUNS.filter((run) => run.opset === opset && run.exporter === exporter);
    test.each([...new Set(here.map(({ name }) => name))])('%s', async (name) => {
      for (const { one, title, ending } of here.filter((run) => run.name === name)) {
        await check(one, ending, exporter, opset).catch((error: Error) => {
          error.message = `${title}, ${JSON.stringify(one.likelihood)}: ${error.message}`;
          throw error;
        });
      }
    });
  });
});
