/** Every figure that a model and some data allow. */
import { VaeError } from '../core/errors.js';
import type { ArrayWithShape } from '../core/tensor.js';
import type { Dataset } from '../data/dataset.js';
import type { DataRecipe } from '../data/recipe.js';
import { decodeRows } from '../data/table/rows.js';
import { interpolate, traverse } from '../latent/paths.js';
import type { Figure } from '../report/figure.js';
import { columnDistributions } from '../report/figures/columns.js';
import { latentScatter } from '../report/figures/latent-scatter.js';
import { latentUse } from '../report/figures/latent-use.js';
import { priorSamples, reconstructions } from '../report/figures/pictures.js';
import { residuals } from '../report/figures/residuals.js';
import { spectrograms, waveforms } from '../report/figures/sound.js';
import { contactSheet, interpolations, manifold, traversals } from '../report/figures/walks.js';
import { FIGURE_NAMES, type FigureName } from './figure-names.js';
import { tableDeviations } from './table-deviations.js';
import type { Vae } from './vae.js';

const PICTURES = 60;
const SCATTER_ROWS = 3000;
const SCORED_ROWS = 2000;
const WORST = 12;
const STRIPS = 6;
const STEPS = 9;
const PLANE = 15;
const SOUNDS = 4;
const CLIPS = 3;
const RANGE = 2.5;

/** See PlotOptions. */
interface PlotRequest {
  readonly only?: readonly FigureName[] | undefined;
  readonly seenInTraining: boolean;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a figure is made from. */
interface Subject {
  readonly vae: Vae;
  readonly data: Dataset;
  readonly recipe: DataRecipe | undefined;
  /** Whether rows are pictures that can be shown as they are. */
  readonly pictures: boolean;
  readonly options: PlotRequest;
}

/** Each gives a figure, or undefined where the data do not allow it. */
const MAKERS: Readonly<Record<FigureName, (subject: Subject) => Promise<Figure | undefined>>> = {
  reconstructions: async (subject) => {
    if (!subject.pictures) return undefined;
    const { original, rebuilt } = await rebuiltRows(subject, PICTURES);
    return reconstructions(original, rebuilt, { seenInTraining: subject.options.seenInTraining });
  },
  samples: async (subject) =>
    subject.pictures && !isSpectrogram(subject.recipe) ? priorSamples(await sampled(subject, 2 * PICTURES)) : undefined,
  waveforms: async (subject) => {
    const { recipe } = subject;
    if (recipe?.kind !== 'audio' || recipe.mel) return undefined;
    const { original, rebuilt } = await rebuiltRows(subject, SOUNDS);
    return waveforms(natural(original, recipe), natural(rebuilt, recipe), recipe.sampleRate);
  },
  spectrograms: async (subject) => {
    const { recipe } = subject;
    if (recipe?.kind !== 'audio' || !recipe.mel) return undefined;
    const { original, rebuilt } = await rebuiltRows(subject, SOUNDS);
    const { fftHop } = recipe.mel;
    return spectrograms(natural(original, recipe), natural(rebuilt, recipe), { sampleRate: recipe.sampleRate, fftHop });
  },
  clips: async (subject) => {
    if (subject.data.rowShape.length !== 4) return undefined;
    const { original, rebuilt } = await rebuiltRows(subject, CLIPS);
    return contactSheet(original, rebuilt, ['original', 'rebuilt']);
  },
  columns: async ({ vae, data, recipe, options }) => {
    if (recipe?.kind !== 'table') return undefined;
    const real = await data.take(SCATTER_ROWS).toMemory(options.signal);
    const made = await sampled({ vae, options }, Math.max(500, real.length));
    return columnDistributions(
      decodeRows(real.memory!, recipe, { encoded: true }),
      decodeRows(made.data as Float32Array, recipe, {
        draw: { seed: options.seed, deviations: tableDeviations(vae, recipe) },
      }),
    );
  },
  traversals: async (subject) => {
    const { vae, options } = subject;
    if (!walkable(subject)) return undefined;
    const { klPerDimension, meanVariance } = await vae.latentStatistics(
      subject.data.take(SCORED_ROWS),
      callOf(options),
    );
    const use = klPerDimension ?? meanVariance;
    if (use === undefined) return undefined;
    const dimensions = Array.from(use, (_, index) => index)
      .sort((a, b) => use[b]! - use[a]!)
      .slice(0, STRIPS);
    const latent = await firstLatent(subject, 0);
    const walks = dimensions.map(
      (dimension) => traverse(latent, { dimension, from: -RANGE, to: RANGE, steps: STEPS }).data as Float32Array,
    );
    return traversals(await decoded(subject, walks, latent.shape), { dimensions, range: [-RANGE, RANGE] });
  },
  interpolations: async (subject) => {
    if (!walkable(subject) || subject.data.length < 2) return undefined;
    const pairs = Math.min(STRIPS, Math.floor(subject.data.length / 2));
    // One after another: so many listeners on one signal would bring a warning of Node's.
    const ends: Awaited<ReturnType<typeof firstLatent>>[] = [];
    for (let row = 0; row < 2 * pairs; row += 1) ends.push(await firstLatent(subject, row));
    const walks = Array.from(
      { length: pairs },
      (_, pair) => interpolate(ends[2 * pair]!, ends[2 * pair + 1]!, { steps: STEPS }).data as Float32Array,
    );
    return interpolations(await decoded(subject, walks, ends[0]!.shape), STEPS);
  },
  manifold: async (subject) => {
    const { vae } = subject;
    if (!walkable(subject) || vae.latentShape.join() !== '2') return undefined;
    const places = Array.from({ length: PLANE }, (_, index) => normalQuantile((index + 0.5) / PLANE));
    const grid = places.flatMap((_, row) => places.flatMap((x) => [x, places[PLANE - 1 - row]!]));
    return manifold(await decoded(subject, [Float32Array.from(grid)], [2]), [places[0]!, places[PLANE - 1]!]);
  },
  'latent-space': async ({ vae, data, options }) => {
    const shown = data.take(SCATTER_ROWS);
    if (shown.length < 3) return undefined;
    const { mean } = await vae.encode(shown, callOf(options));
    const flat = { data: mean.data as Float32Array, shape: [shown.length, mean.size / shown.length] };
    return flat.shape[1]! < 2
      ? undefined
      : latentScatter(flat, {
          ...(shown.labels && { labels: shown.labels }),
          conditional: vae.info.condition !== undefined,
        });
  },
  'latent-use': async ({ vae, data, options }) => {
    const { klPerDimension } = await vae.latentStatistics(data.take(SCORED_ROWS), callOf(options));
    if (klPerDimension === undefined) return undefined;
    // Of a map [D, ...places], every dimension is there at every place.
    const places = vae.latentShape.slice(1).reduce((product, side) => product * side, 1);
    return latentUse(klPerDimension, undefined, places);
  },
  residuals: async (subject) => {
    const { vae, data, options } = subject;
    if (!subject.pictures || isSpectrogram(subject.recipe) || data.length < 2 * WORST) return undefined;
    const scored = data.take(SCORED_ROWS);
    const { elbo } = await vae.score(scored, { seed: options.seed, ...callOf(options) });
    const worst = Array.from(elbo, (_, row) => row)
      .sort((a, b) => elbo[a]! - elbo[b]!)
      .slice(0, WORST);
    const { original, rebuilt } = await rebuiltRows({ ...subject, data: scored.select(worst) }, WORST);
    return residuals(original, rebuilt);
  },
};

/** See Vae.plot(). */
export async function drawFigures(vae: Vae, data: Dataset, options: PlotRequest): Promise<Figure[]> {
  const [channels, ...sides] = data.rowShape;
  const pictures = sides.length === 2 && (channels === 1 || channels === 3 || channels === 4);
  const recipe = data.recipe ?? vae.recipe;
  const subject: Subject = { vae, data, recipe, pictures: pictures && !isSpectrogram(recipe), options };
  const figures: Figure[] = [];
  for (const name of FIGURE_NAMES) {
    if (options.only && !options.only.includes(name)) continue;
    options.signal?.throwIfAborted();
    const figure = await MAKERS[name](subject);
    if (figure) figures.push(figure);
    else if (options.only) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `plot(): "${name}" cannot be drawn for rows of shape [${data.rowShape.join(', ')}]` +
          `${recipe ? ` of the kind "${recipe.kind}"` : ''} and latents [${vae.latentShape.join(', ')}].`,
      );
    }
  }
  return figures;
}

function callOf({ signal }: { readonly signal?: AbortSignal | undefined }): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

function isSpectrogram(recipe: DataRecipe | undefined): boolean {
  return recipe?.kind === 'audio';
}

/** Whether points between latents can be shown as pictures: latents are vectors and need no labels. */
function walkable({ vae, pictures }: Subject): boolean {
  return pictures && vae.latentShape.length === 1 && vae.latentShape[0]! > 0 && vae.info.condition === undefined;
}

async function rebuiltRows(
  { vae, data, options }: Subject,
  most: number,
): Promise<{ original: ArrayWithShape; rebuilt: ArrayWithShape }> {
  const rows = await data.take(most).toMemory(options.signal);
  const rebuilt = await vae.reconstruct(rows, callOf(options));
  return {
    original: { data: rows.memory!, shape: [rows.length, ...rows.rowShape] },
    rebuilt: { data: rebuilt.data as Float32Array, shape: [rows.length, ...rows.rowShape] },
  };
}

async function sampled({ vae, options }: Pick<Subject, 'vae' | 'options'>, count: number): Promise<ArrayWithShape> {
  const { condition } = vae.info;
  const labels = condition && Array.from({ length: count }, (_, index) => index % condition.classes);
  const samples = await vae.sample(count, { seed: options.seed, ...(labels && { labels }), ...callOf(options) });
  return { data: samples.data as Float32Array, shape: samples.dims };
}

async function firstLatent(
  { vae, data, options }: Subject,
  row: number,
): Promise<{ data: Float32Array; shape: number[] }> {
  const { mean } = await vae.encode(data.select([row]), callOf(options));
  return { data: mean.data as Float32Array, shape: [...mean.dims.slice(1)] };
}

async function decoded(
  { vae, data, options }: Subject,
  latents: readonly Float32Array[],
  shape: readonly number[],
): Promise<ArrayWithShape> {
  const width = shape.reduce((size, dim) => size * dim, 1);
  const all = new Float32Array(latents.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of latents) {
    all.set(part, at);
    at += part.length;
  }
  const images = await vae.decode({ data: all, shape: [all.length / width, ...shape] }, callOf(options));
  return { data: images.data as Float32Array, shape: [all.length / width, ...data.rowShape] };
}

/** Samples or decibels as they were before standardising. */
function natural(
  { data, shape }: ArrayWithShape,
  { mean, deviation }: { mean: number; deviation: number },
): ArrayWithShape {
  return { data: Float32Array.from(data as Float32Array, (value) => value * deviation + mean), shape };
}

/** Of the standard normal distribution, by bisection of Abramowitz and Stegun's 26.2.17 (error below 1e-7). */
function normalQuantile(probability: number): number {
  const below = (x: number): number => {
    const t = 1 / (1 + 0.2316419 * Math.abs(x));
    const tail =
      (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)) *
      t *
      (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return x >= 0 ? 1 - tail : tail;
  };
  let [low, high] = [-8, 8];
  for (let round = 0; round < 60; round += 1) {
    const middle = (low + high) / 2;
    if (below(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
