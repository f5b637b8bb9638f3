import { CHAIN_FIRST_LOG_VARIANCE } from '../../architectures/chain.js';
import type { ConditionConfig } from '../../architectures/condition.js';
import type { ArchitectureConfig } from '../../architectures/index.js';
import type { ModelParts } from '../../artifacts/model-io.js';
import { VaeError } from '../../core/errors.js';
import type { Dataset } from '../../data/dataset.js';
import type { LikelihoodConfig } from '../../nn/likelihoods/index.js';
import type { PosteriorConfig } from '../../nn/posteriors/index.js';
import type { PriorConfig } from '../../nn/priors/index.js';
import { Codec } from './codec.js';
import type { GaussianPaths, NetworkPaths } from './networks.js';
import { quantize } from './to-integers.js';

/** More items than this show nothing new about how large activations get. */
const MOST_CALIBRATION_VALUES = 150_000;

/** What decides whether a VAE can be a codec: `vae.info` has it, before the model is trained. */
export interface CodecCandidate {
  readonly architecture: ArchitectureConfig;
  readonly likelihood: LikelihoodConfig;
  readonly posterior: PosteriorConfig;
  readonly prior: PriorConfig;
  readonly condition?: ConditionConfig | undefined;
}

/** What makes a VAE unfit for coding, or undefined for one that is fit. */
export function codecObstacle(model: CodecCandidate): string | undefined {
  const { architecture, likelihood, posterior, prior, condition } = model;
  if (likelihood.type !== 'local-mixture') {
    return `its likelihood is "${likelihood.type}"; a codec needs { type: "local-mixture" }, whose probabilities are those of bytes`;
  }
  if (architecture.type !== 'mlp' && architecture.type !== 'chain') {
    const { type } = architecture as { type: string };
    const ladder = type === 'ladder' ? ' ("chain" has several levels too, in an order that can be coded)' : '';
    return `its architecture is "${type}", and only "mlp" and "chain" have networks in integers${ladder}: train one with { architecture: "mlp", likelihood: "local-mixture" }, as train --codec does`;
  }
  if (architecture.activation !== 'relu') {
    return `its activation is "${architecture.activation}"; integer networks have "relu"`;
  }
  if (posterior.type !== 'gaussian') return `its posterior is "${posterior.type}"; bits-back coding needs "gaussian"`;
  if (prior.type !== 'standard') return `its prior is "${prior.type}"; the coder has the tables of "standard"`;
  if (condition !== undefined) return 'it is conditional, and an archive holds no labels';
  return undefined;
}

/**
 * The VAE's networks in integers. `calibration` are 8-bit items like those to be compressed.
 *
 * @throws VaeError ERR_VAE_OPTION for a VAE that cannot be a codec, with the reason; ERR_VAE_DATA for
 *   calibration items that are not bytes.
 * @internal
 */
export async function codecFromModel(
  parts: Pick<ModelParts, 'description' | 'vae' | 'parameters'>,
  calibration: Dataset,
  signal?: AbortSignal,
): Promise<Codec> {
  const obstacle = codecObstacle(parts.description);
  const { architecture, likelihood, latentDim } = parts.description;
  if (obstacle !== undefined || likelihood.type !== 'local-mixture') {
    throw new VaeError('ERR_VAE_OPTION', `toCodec(): this model cannot be a codec: ${obstacle}.`);
  }
  if (calibration.dtype !== 'uint8') {
    throw new VaeError(
      'ERR_VAE_DATA',
      `toCodec(): expected 8-bit calibration items, received ${calibration.dtype}. Codecs are for bytes.`,
    );
  }
  const { dataShape } = parts.vae;
  const size = dataShape.reduce((product, dim) => product * dim, 1);
  const count = Math.max(1, Math.min(calibration.length, Math.floor(MOST_CALIBRATION_VALUES / size)));
  // Evenly over the data: the beginning may be all of one kind.
  const rows = Array.from({ length: count }, (_, index) => Math.floor((index * calibration.length) / count));
  const items = (await calibration.read(rows, signal)) as Uint8Array;
  const { parameters } = parts;
  const paths = networkPaths(architecture, latentDim);
  return Codec.make(dataShape, quantize({ parameters, paths, likelihood, dataShape, calibration: items }));
}

/** The names that mlp.ts and chain.ts give their layers. */
function networkPaths(architecture: ArchitectureConfig, latentDim: number): NetworkPaths {
  const hiddenOf = (path: string, count: number) => Array.from({ length: count }, (_, i) => `${path}.hidden.${i}`);
  const gaussian = (path: string, count: number): GaussianPaths => ({
    hidden: hiddenOf(path, count),
    mean: `${path}.mean`,
    logVariance: `${path}.log_variance`,
  });
  const features = 'decoder.features';
  if (architecture.type === 'chain') {
    const { latents, depth } = architecture;
    const [first, ...upper] = latents;
    return {
      latents: first!,
      encoder: gaussian('encoder.level.0', depth),
      decoder: hiddenOf('decoder.level.0', depth),
      features,
      upper: upper.map((size, index) => ({
        latents: size,
        encoder: gaussian(`encoder.level.${index + 1}`, depth),
        prior: gaussian(`decoder.level.${index + 1}`, depth),
      })),
      logVarianceOffset: CHAIN_FIRST_LOG_VARIANCE,
    };
  }
  const { hidden } = architecture as Extract<ArchitectureConfig, { type: 'mlp' }>;
  return {
    latents: latentDim,
    encoder: gaussian('encoder', hidden.length),
    decoder: hiddenOf('decoder', hidden.length),
    features,
    upper: [],
    logVarianceOffset: 0,
  };
}
