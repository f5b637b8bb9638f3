/** Opens pairs of ONNX files, and the autoencoders of diffusion models. */
import type { DiffusionConfig, DiffusionFolder } from '../../artifacts/diffusion-layout.js';
import { namesNoise, warnOfNoise } from '../../artifacts/foreign/noise.js';
import { VaeError } from '../../core/errors.js';
import { readModel, writeModel } from '../../graph/index.js';
import { Engine, type EngineOptions } from '../engine.js';
import type { ByteRange, LatentScaling, Networks } from '../networks.js';
import { FRACTIONS } from '../rows/rows.js';
import { describeNetworks, type ImportedSource, openImported, posteriorOf } from './imported.js';
import { isHalfPrecision, upcastModel } from './upcast.js';

/** 8-bit values over [−1, 1], as diffusion models take them. */
const SYMMETRIC: ByteRange = { scale: 2 / 255, offset: -1 };

/** diffusers' clamp of the log-variance (DiagonalGaussianDistribution). */
const LOG_VARIANCE_RANGE = [-30, 20] as const;

/** diffusers' default of AutoencoderKL, for configs that were written without it. */
const DEFAULT_SCALING = 0.18215;

/** Names of an encoder's outputs, by what they are. */
export type PosteriorNames =
  | { readonly mean: string; readonly logVariance: string }
  | { readonly mean: string; readonly variance: string }
  | { readonly mean: string; readonly std: string }
  | { readonly mean: string; readonly logStd: string }
  | { readonly moments: string }
  | { readonly point: string };

/** Two ONNX files. Names, types and ranks of inputs and outputs are found by themselves. */
export interface OnnxPair {
  /** Path of the encoder: one input, the data; outputs mean and log-variance, or both in one, or a latent. */
  readonly encoder: string;
  /** Path of the decoder: one input, the latent; an output of the data's form. */
  readonly decoder: string;
  /**
   * What the encoder's outputs are, where it cannot be told: mean and log-variance, `variance`, `std` or `logStd`;
   * `moments`, mean and log-variance in one; or a `point`, the latent itself.
   */
  readonly outputs?: PosteriorNames | undefined;
  /** What 8-bit data stands for: [0, 1] (default) or [−1, 1]. */
  readonly range?: 'unit' | 'symmetric';
}

export function openPair(pair: OnnxPair, options: EngineOptions): Promise<Engine> {
  return open(
    {
      encoder: pair.encoder,
      decoder: pair.decoder,
      outputs: pair.outputs,
      bytes: pair.range === 'symmetric' ? SYMMETRIC : FRACTIONS,
      names: { encoder: pair.encoder, decoder: pair.decoder },
    },
    options,
  );
}

export async function openDiffusion(
  { encoder, decoder, config }: DiffusionFolder,
  options: EngineOptions,
): Promise<Engine> {
  const { sample_size: size } = config;
  const widened = async (path: string): Promise<string | Uint8Array> => {
    if (!config.force_upcast) return path;
    const model = await readModel(path);
    return isHalfPrecision(model) ? writeModel(upcastModel(model)) : path;
  };
  return open(
    {
      encoder: await widened(encoder),
      decoder: await widened(decoder),
      scaling: latentScaling(config),
      bytes: SYMMETRIC,
      logVarianceRange: LOG_VARIANCE_RANGE,
      tileSize: Array.isArray(size) ? Math.min(...size) : (size ?? undefined),
      names: { encoder, decoder },
    },
    options,
  );
}

/**
 * Both networks are opened and held against each other.
 *
 * @throws VaeError ERR_VAE_GRAPH where they do not make a VAE, ERR_VAE_IO, ERR_VAE_FORMAT, ERR_VAE_BINDING.
 */
async function open(source: ImportedSource, options: EngineOptions): Promise<Engine> {
  let current = source;
  let changed = false;
  const engine = await Engine.study(
    (kind, session) => {
      if (kind !== 'encoder' && kind !== 'decoder') {
        throw new VaeError('ERR_VAE_GRAPH', `Imported networks have no ${kind} graph.`);
      }
      return openImported(current, kind, session);
    },
    options,
    async (encoder, session) => {
      const decoder = await openImported(source, 'decoder', session);
      try {
        const { posterior, encoder: rewritten } = await posteriorOf(source, encoder, decoder);
        changed = rewritten !== undefined;
        if (rewritten === undefined) return await describeNetworks(source, encoder, decoder, posterior);
        current = { ...source, encoder: rewritten };
        const giving = await openImported(current, 'encoder', session);
        try {
          return await describeNetworks(current, giving, decoder, posterior);
        } finally {
          await giving.close();
        }
      } finally {
        await decoder.close();
      }
    },
  );
  await tellOfNoise(current, engine.networks);
  if (!changed) return engine;
  // The session that was studied is of the graph as it came.
  const giving = engine.with(engine.networks);
  await engine.close();
  return giving;
}

/** Latents as pipelines pass them on: (z − shift) · scale, by channel where the config has statistics. */
function latentScaling(config: DiffusionConfig): LatentScaling {
  const { latents_mean: mean, latents_std: std, shift_factor: shift } = config;
  const scalesByDefault = std == null && (config['_class_name'] ?? 'AutoencoderKL') === 'AutoencoderKL';
  const factor =
    config.scaling_factor === undefined && scalesByDefault ? DEFAULT_SCALING : (config.scaling_factor ?? 1);
  return {
    scale: Float32Array.from(std ?? [1], (deviation) => factor / deviation),
    shift: Float32Array.from(mean ?? [shift ?? 0]),
  };
}

/** Says where what a graph gives is another with every run. */
async function tellOfNoise(source: ImportedSource, { encoder, decoder }: Networks): Promise<void> {
  const { posterior } = encoder;
  const used = {
    encoder: posterior.kind === 'pair' ? [posterior.mean, posterior.logVariance] : [posterior.name],
    decoder: [decoder.output],
  };
  for (const half of ['encoder', 'decoder'] as const) {
    const model = source[half];
    if (!(await namesNoise(model))) continue;
    // Of operators that only the runtime knows nothing can be told.
    const graph = await (async () => (typeof model === 'string' ? readModel(model) : readModel(model)))().catch(
      () => undefined,
    );
    if (graph !== undefined) warnOfNoise(graph, half, used[half]);
  }
}
