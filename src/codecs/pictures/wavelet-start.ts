/**
 * Where training of the transforms begins: blocks of 2 × 2 pixels by the Haar transform, again and again,
 * as far as the widths go. A picture comes through from the first step on, and training improves on a
 * wavelet code instead of finding one.
 */
import type { ParameterStore } from '../../architectures/parameters.js';
import type { LossyConfig } from './config.js';

/** A channel of a layer: one frequency, down and across, of one colour. */
interface Band {
  readonly colour: number;
  readonly down: number;
  readonly across: number;
}

/** Where a band comes from: a band of the layer before, and the signs of its second row and column. */
interface Split {
  readonly band: Band;
  readonly from: number;
  readonly signs: readonly [number, number];
}

/** Brightness and two differences of colour, orthonormal. */
const COLOURS = [
  [1 / Math.sqrt(3), 1 / Math.sqrt(3), 1 / Math.sqrt(3)],
  [1 / Math.sqrt(2), 0, -1 / Math.sqrt(2)],
  [1 / Math.sqrt(6), -2 / Math.sqrt(6), 1 / Math.sqrt(6)],
];
/** Colour is worth keeping up to a third of the frequencies that brightness is. */
const COLOUR_COST = 3;
/** What the channels that hold no band keep of their random weights. */
const REST = 0.1;
const [KERNEL, FIRST] = [4, 1];

/** Overwrites the weights of analysis and synthesis. */
export function startFromWavelets(store: ParameterStore, { widths, latents }: LossyConfig): void {
  const weights = (name: string): { data: Float32Array; dims: readonly number[] } => {
    const spec = store.specs.find((each) => each.name === name)!;
    return { data: store.view(spec), dims: spec.dims };
  };
  let bands: Band[] = [0, 1, 2].map((colour) => ({ colour, down: 0, across: 0 }));
  const layers = [...widths, latents];
  for (const [index, width] of layers.entries()) {
    const splits = bands
      .flatMap((band, from) => splitsOf(band, from))
      .sort((a, b) => costOf(a.band) - costOf(b.band))
      .slice(0, width);
    // Weights are [outputs, inputs, 4, 4] in analysis and, the layers in reverse, the other way round in synthesis.
    for (const { data } of [
      weights(`analysis.${index}.weight`),
      weights(`synthesis.${layers.length - 1 - index}.weight`),
    ]) {
      for (let at = 0; at < data.length; at += 1) data[at]! *= REST;
      const inputs = data.length / (width * KERNEL * KERNEL);
      for (const [output, { from, signs }] of splits.entries()) {
        const block = data.subarray(output * inputs * KERNEL * KERNEL, (output + 1) * inputs * KERNEL * KERNEL);
        block.fill(0);
        const sources = index === 0 ? COLOURS[from]! : unit(from, inputs);
        for (const [input, share] of sources.entries()) {
          for (const row of [0, 1]) {
            for (const column of [0, 1]) {
              const sign = (row === 1 ? signs[0] : 1) * (column === 1 ? signs[1] : 1);
              block[(input * KERNEL + FIRST + row) * KERNEL + FIRST + column] = 0.5 * sign * share;
            }
          }
        }
      }
    }
    bands = splits.map(({ band }) => band);
  }
}

/** The four bands that a band becomes; a difference turns the order of what comes after (Gray code). */
function splitsOf({ colour, down, across }: Band, from: number): Split[] {
  const halves = (frequency: number) => (frequency % 2 === 0 ? [1, -1] : [-1, 1]);
  return halves(down).flatMap((row, first) =>
    halves(across).map((column, second) => ({
      band: { colour, down: 2 * down + first, across: 2 * across + second },
      from,
      signs: [row, column] as const,
    })),
  );
}

function costOf({ colour, down, across }: Band): number {
  return Math.hypot(down, across) * (colour === 0 ? 1 : COLOUR_COST) + (colour === 0 ? 0 : 0.5);
}

function unit(at: number, length: number): number[] {
  return Array.from({ length }, (_, index) => (index === at ? 1 : 0));
}
