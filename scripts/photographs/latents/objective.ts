/**
 * The networks of green, red and blue beside each other, with latents of each block or without: as a hyperprior
 * (Ballé et al. 2018), rounded and sent first, or coded bits-back (Townsend, Bird, Barber 2019), where they cost
 * their divergence. Their prior sees the latents to the left and above and what is known where the block begins.
 */
import { NAMES, perExample, TERMS } from '../../../src/architectures/names.js';
import { type SampleValues, sampleBits } from '../../../src/codecs/photographs/network/objective.js';
import { GraphBuilder, type Value } from '../../../src/graph/builder.js';
import type { Model } from '../../../src/graph/ir.js';
import { linear } from '../../../src/nn/layers.js';
import { meanOverBatch, repeatRows } from '../../../src/nn/reduce.js';
import { type ParameterSource, Scope } from '../../../src/nn/scope.js';
import { BLOCK_NUMBERS, type Blocks } from './regions.js';

export const ROWS = 'rows';
export const NOISE = 'noise';
const COMPONENTS = 5;
const ENCODER = [96, 48];
const PRIOR_WIDTH = 32;
/** Log-scales of the prior and of the posterior, natural. */
const LOG_SCALES = [-6, 6] as const;

export interface Variant {
  readonly kind: 'none' | 'hyperprior' | 'bits-back';
  readonly blocks: Blocks;
  /** Numbers of a block. */
  readonly latents: number;
}

export interface Shape {
  /** Numbers of a pixel's row of each plane. */
  readonly widths: readonly number[];
  readonly extra: number;
  /** Of each region. */
  readonly pixels: number;
  readonly hidden: readonly number[];
}

/** @param measuring whether latents are rounded, as a coder would, instead of blurred. */
export function buildObjective(variant: Variant, shape: Shape, source: ParameterSource, measuring: boolean): Model {
  const { kind, blocks, latents } = variant;
  const { widths, extra, pixels, hidden } = shape;
  const context = widths[0]! - extra;
  const sizes = [...widths.map((width) => pixels * width), blocks.seen * BLOCK_NUMBERS, blocks.own * context];
  const g = new GraphBuilder({ name: 'photograph_latents' });
  const scope = new Scope(g, source);
  const rows = g.input(ROWS, 'float32', ['N', sizes.reduce((sum, size) => sum + size, 0)]);
  const klWeight = g.input(NAMES.klWeight, 'float32', []);
  const parts = g.ops('Split', [rows, g.int64s(sizes)], { axis: 1 }, { outputs: sizes.length });
  const planes = widths.map((_, plane) => scope.at(`plane${plane}`));
  // First of all, so that they begin with the same numbers whatever the latents are.
  const layers = (plane: number): number[] => [widths[plane]! - extra, ...hidden, 3 * COMPONENTS];
  const first = planes.map((at, plane) => {
    const given = g.op('Reshape', [parts[plane]!, g.int64s([-1, widths[plane]!])]);
    const list = [widths[plane]! - extra, 1, 1, 1, 1, 1];
    const [seen, ...values] = g.ops('Split', [given, g.int64s(list)], { axis: 1 }, { outputs: 6 });
    for (const [index, inputs] of layers(plane).slice(0, -1).entries()) {
      const idle = g.constant(new Float32Array(inputs), 'float32', [1, inputs]);
      linear(at.at(index), idle, inputs, layers(plane)[index + 1]!);
    }
    const [prediction, alternative, scale, value, most] = values as [Value, Value, Value, Value, Value];
    return { seen: seen!, values: { prediction, alternative, scale, value, most } satisfies SampleValues };
  });
  const told = kind === 'none' ? undefined : latentsOf(scope, variant, parts[3]!, parts[4]!, context, measuring);
  const bits = first.map(({ seen, values }, plane) => {
    const widthsOf = layers(plane);
    let top = linear(planes[plane]!.at(0), seen, widthsOf[0]!, widthsOf[1]!);
    if (told !== undefined) {
      const ofBlock = linear(planes[plane]!.at('latents'), told.own, latents, widthsOf[1]!);
      top = g.op('Add', [top, repeatRows(g, ofBlock, pixels / blocks.own)]);
    }
    for (let index = 1; index < widthsOf.length - 1; index += 1) {
      top = linear(planes[plane]!.at(index), g.op('Relu', [top]), widthsOf[index]!, widthsOf[index + 1]!);
    }
    return g.op('Reshape', [sampleBits(g, top, COMPONENTS, values), g.int64s([-1, pixels])]);
  });
  const all = g.op('Concat', bits, { axis: 1 });
  const reconstruction = g.op('ReduceMean', [all, g.int64s([1])], { keepdims: 0 });
  const kl =
    told === undefined
      ? g.op('Mul', [reconstruction, g.scalar(0)])
      : g.op('Mul', [told.bits, g.scalar(1 / (3 * blocks.own * blocks.side ** 2))]);
  const loss = g.op('Add', [reconstruction, g.op('Mul', [kl, klWeight])]);
  const terms = { loss, reconstruction, kl };
  for (const term of TERMS) {
    g.output(term, meanOverBatch(g, terms[term]));
    g.output(perExample(term), terms[term]);
  }
  return g.model;
}

/** Multiply-adds of a pixel that a decoder has to do besides: the latents' prior, and their part of the first layers. */
export function extraWork(
  { kind, blocks, latents }: Variant,
  { widths, extra, hidden }: Omit<Shape, 'pixels'>,
): number {
  if (kind === 'none') return 0;
  const prior = (widths[0]! - extra + 2 * latents) * PRIOR_WIDTH + PRIOR_WIDTH * 2 * latents;
  return Math.round((prior + widths.length * latents * hidden[0]!) / blocks.side ** 2);
}

/** Latents of the own blocks, [N · own, latents], and the bits of all of a region's, [N]. */
function latentsOf(scope: Scope, variant: Variant, seen: Value, known: Value, context: number, measuring: boolean) {
  const { kind, blocks, latents } = variant;
  const { g } = scope;
  const isBack = kind === 'bits-back';
  let top = g.op('Reshape', [seen, g.int64s([-1, BLOCK_NUMBERS])]);
  let width = BLOCK_NUMBERS;
  for (const [index, outputs] of ENCODER.entries()) {
    top = g.op('Relu', [linear(scope.at('encoder').at(index), top, width, outputs)]);
    width = outputs;
  }
  const head = (name: string) => linear(scope.at('encoder').at(name), top, width, latents);
  const means = g.op('Mul', [head('mean'), g.scalar(4)]);
  const logWidths = isBack ? limited(g, head('width')) : undefined;
  const noise = () =>
    g.op('Reshape', [g.input(NOISE, 'float32', ['N', blocks.seen, latents]), g.int64s([-1, latents])]);
  let drawn: Value;
  if (logWidths !== undefined) drawn = g.op('Add', [means, g.op('Mul', [noise(), g.op('Exp', [logWidths])])]);
  else if (measuring) drawn = g.op('Round', [means]);
  else drawn = g.op('Add', [means, g.op('Sub', [noise(), g.scalar(0.5)])]);

  const list = (value: Value): Value[] =>
    g.ops(
      'Split',
      [g.op('Reshape', [value, g.int64s([-1, blocks.seen, latents])]), g.int64s(new Array(blocks.seen).fill(1))],
      { axis: 1 },
      { outputs: blocks.seen },
    );
  const blocksOf = (all: readonly Value[], which: readonly number[]): Value => {
    const some = which.map((block) => all[block]!);
    const joined = some.length === 1 ? some[0]! : g.op('Concat', some, { axis: 1 });
    return g.op('Reshape', [joined, g.int64s([-1, latents])]);
  };
  const each = list(drawn);
  const mine = Array.from({ length: blocks.own }, (_, block) => block);
  const own = blocksOf(each, mine);
  const given = g.op(
    'Concat',
    [g.op('Reshape', [known, g.int64s([-1, context])]), blocksOf(each, blocks.west), blocksOf(each, blocks.north)],
    { axis: 1 },
  );
  const prior = scope.at('prior');
  const middle = g.op('Relu', [linear(prior.at(0), given, context + 2 * latents, PRIOR_WIDTH)]);
  const place = linear(prior.at('mean'), middle, PRIOR_WIDTH, latents);
  const logScale = limited(g, linear(prior.at('scale'), middle, PRIOR_WIDTH, latents));
  const bits =
    logWidths === undefined
      ? roundedBits(g, own, place, logScale)
      : divergence(g, blocksOf(list(means), mine), blocksOf(list(logWidths), mine), place, logScale);
  const sums = g.op('Reshape', [bits, g.int64s([-1, blocks.own * latents])]);
  return { own, bits: g.op('ReduceSum', [sums, g.int64s([1])], { keepdims: 0 }) };
}

function limited(g: GraphBuilder, value: Value): Value {
  return g.op('Clip', [value, g.scalar(LOG_SCALES[0]), g.scalar(LOG_SCALES[1])]);
}

/** Of whole numbers under a logistic prior. */
function roundedBits(g: GraphBuilder, value: Value, place: Value, logScale: Value): Value {
  const inverse = g.op('Exp', [g.op('Neg', [logScale])]);
  const upper = g.op('Mul', [g.op('Add', [g.op('Sub', [value, place]), g.scalar(0.5)]), inverse]);
  const lower = g.op('Sub', [upper, inverse]);
  const width = g.op('Log', [g.op('Sub', [g.scalar(1 + 1e-7), g.op('Exp', [g.op('Neg', [inverse])])])]);
  const tails = g.op('Add', [g.op('Softplus', [g.op('Neg', [upper])]), g.op('Softplus', [lower])]);
  return g.op('Mul', [g.op('Sub', [tails, width]), g.scalar(1 / Math.LN2)]);
}

/** Of one normal from another, in bits. */
function divergence(g: GraphBuilder, mean: Value, logWidth: Value, place: Value, logScale: Value): Value {
  const twice = (value: Value) => g.op('Exp', [g.op('Mul', [value, g.scalar(2)])]);
  const apart = g.op('Sub', [mean, place]);
  const ratio = g.op('Div', [g.op('Add', [twice(logWidth), g.op('Mul', [apart, apart])]), twice(logScale)]);
  const half = g.op('Mul', [g.op('Sub', [ratio, g.scalar(1)]), g.scalar(0.5)]);
  return g.op('Mul', [g.op('Add', [g.op('Sub', [logScale, logWidth]), half]), g.scalar(1 / Math.LN2)]);
}
