/** What a run has come to in plain words, and the one thing to try next. */
import type { Dataset, History, Vae } from '../../index.js';
import type { TrainFlags } from './flags.js';

/** Rows that the model is judged on, at most. */
const MOST_ROWS = 512;

/** Likelihoods of whole numbers: what they give is a number of bits that a coder would need. */
const COUNTED = new Set(['discretised-logistic', 'categorical', 'beta-binomial', 'local-mixture']);

/** How a run ended. */
export type Ending = 'all epochs' | 'no longer improving' | 'time is up';

/** What is known of a model after its run. */
export interface Judged {
  /** Of a reconstruction beside its row; pictures and video, peak 1. */
  readonly psnr: number | undefined;
  /** Share of the variance of the rows that reconstructions keep, 0 to 1. */
  readonly kept: number;
  readonly bitsPerDim: number | undefined;
  readonly active: number;
  readonly units: number;
}

/** Passes some rows through the model. */
export async function judge(vae: Vae, examples: Dataset, signal: AbortSignal): Promise<Judged> {
  const some = examples.length > MOST_ROWS ? examples.shuffle(0).take(MOST_ROWS) : examples;
  const rows = await some.read(
    Uint32Array.from({ length: some.length }, (_, row) => row),
    signal,
    0,
  );
  const scale = rows instanceof Uint8Array ? 1 / 255 : 1;
  const batch = {
    data: rows,
    shape: [some.length, ...some.rowShape],
    ...(vae.info.condition && some.labels && { labels: Int32Array.from(some.labels.values) }),
  };
  const { data } = await vae.reconstruct(batch, { signal });
  const { error, variance } = compare(rows, data as Float32Array, scale, some.length);
  const { likelihood, input } = vae.info;
  const picture = input.kind === 'image' || input.kind === 'video';
  const statistics = await vae.latentStatistics(batch, { signal });
  const units = statistics.layers.reduce((sum, layer) => sum + layer.size, 0);
  const values = some.rowShape.reduce((product, dim) => product * dim, 1);
  let bitsPerDim: number | undefined;
  if (COUNTED.has(likelihood.type)) {
    const { elbo } = await vae.score(batch, { signal });
    bitsPerDim = -elbo.reduce((sum, value) => sum + value, 0) / elbo.length / values / Math.LN2;
  }
  return {
    psnr: picture ? 10 * Math.log10(1 / Math.max(error, 1e-12)) : undefined,
    kept: variance > 0 ? Math.max(0, 1 - error / variance) : 1,
    bitsPerDim,
    active: statistics.activeUnits,
    units,
  };
}

/** Mean squared error, and the variance of each value over the rows. */
function compare(
  rows: ArrayLike<number>,
  rebuilt: Float32Array,
  scale: number,
  count: number,
): { error: number; variance: number } {
  const size = rows.length / count;
  let error = 0;
  let variance = 0;
  for (let at = 0; at < size; at += 1) {
    let sum = 0;
    let squares = 0;
    for (let row = 0; row < count; row += 1) {
      const value = rows[row * size + at]! * scale;
      sum += value;
      squares += value * value;
      error += (value - rebuilt[row * size + at]!) ** 2;
    }
    variance += squares - (sum * sum) / count;
  }
  return { error: error / rows.length, variance: variance / rows.length };
}

/** "Reconstructions keep 91 % of …": one sentence for each thing known. */
export function inWords({ psnr, kept, bitsPerDim, active, units }: Judged, heldOut: boolean): string {
  const whose = heldOut ? 'of rows it never saw' : 'of the rows it was trained on';
  const parts = [`Reconstructions ${whose} keep ${Math.round(100 * kept)} % of what tells them apart`];
  if (psnr !== undefined) parts.push(`${psnr.toFixed(1)} dB PSNR, ${soundOf(psnr)}`);
  if (bitsPerDim !== undefined) parts.push(`${bitsPerDim.toFixed(2)} bits per dimension`);
  parts.push(`${active} of ${units} latent dimensions in use`);
  return `${parts.join('; ')}.`;
}

function soundOf(psnr: number): string {
  if (psnr < 17) return 'only rough shapes';
  if (psnr < 22) return 'recognisable, and blurred';
  if (psnr < 28) return 'good, fine detail missing';
  return 'close to the original';
}

/** Below this share of the variance a model has learned next to nothing. */
const LITTLE = 0.2;
/** A gap between the losses above which rows are learned by heart. */
const BY_HEART = 0.15;

/** The one thing that is likeliest to help. */
export function nextThing(
  judged: Judged,
  history: History,
  ending: Ending,
  rows: number,
  flags: TrainFlags,
  vae: Vae,
): string {
  const last = history.epochs[history.epochs.length - 1]!;
  const { latentDim, architecture, input, prior } = vae.info;
  const out = flags.out ?? 'OUT';
  if (judged.active === 0) {
    return flags.klWeight === undefined || flags.klWeight > 0.1
      ? 'No latent dimension is in use. Give the reconstruction more weight: --kl-weight 0.1.'
      : 'No latent dimension is in use. Rows may be noise, or differ by too little: look at them, or scale them.';
  }
  const again = `--resume -o ${out}`;
  if (ending === 'time is up')
    return `It was still learning when the time was up. Go on: ${again} --minutes ${2 * (flags.minutes ?? 10)}.`;
  if (ending === 'all epochs' && last.validation && history.bestEpoch >= last.epoch - 1) {
    return `It was still learning at the end. Go on: ${again} --epochs ${2 * last.epoch}.`;
  }
  if (
    last.validation &&
    (last.validation.loss - last.train.loss) / Math.max(Math.abs(last.train.loss), 1e-9) > BY_HEART
  ) {
    return input.kind === 'image'
      ? 'It knows the rows it was trained on better than others. More pictures help most; --flip makes two of each.'
      : 'It knows the rows it was trained on better than others. More rows help most; a smaller network (--hidden 64) too.';
  }
  if (rows < 300)
    return `${rows} rows are few: more of them help most, and let some be held out to see how good it is.`;
  if (judged.kept < LITTLE)
    return 'It has learned little: try --kl-weight 0.1, or look whether the rows have anything in common.';
  if (judged.active > 0.9 * judged.units)
    return `Every latent dimension is in use: --latent ${2 * latentDim} keeps more detail.`;
  if (input.kind === 'image' && architecture.type === 'mlp') return 'Convolutions suit pictures: --architecture conv.';
  if (prior.type === 'standard') return 'For better samples, a prior that is learned: --prior vamp.';
  return 'For a better model, a larger one: --architecture resnet.';
}
