/** What is known about a VAE's two networks before anything runs: names, types and shapes. */
import type { SessionOptions } from '../binding/addon.js';
import { VaeError } from '../core/errors.js';
import type { ArrayRecipe } from '../data/array/recipe.js';
import type { Domain } from '../data/domain.js';
import type { Model } from '../graph/index.js';
import type { NoiseSpec } from '../nn/noise.js';
import type { GraphSession } from './sessions/session.js';

/** Element types a network may take and give. */
export type FloatType = 'float32' | 'float16';

export type SessionKind =
  | 'encoder'
  | 'decoder'
  | 'objective'
  | 'prior'
  | 'posterior'
  /** The objective with so many draws for each row. */
  | `objective:${number}`;

/** How the encoder gives the posterior. */
export type PosteriorOutput =
  /** Mean and natural logarithm of the variance, as two outputs. */
  | { readonly kind: 'pair'; readonly mean: string; readonly logVariance: string }
  /** Both in one, one after the other along the axis of channels. */
  | { readonly kind: 'moments'; readonly name: string }
  /** A single point: the latent itself. */
  | { readonly kind: 'point'; readonly name: string };

export interface EncoderPort {
  readonly input: string;
  readonly dtype: FloatType;
  readonly posterior: PosteriorOutput;
  /** Rows of every run, where the graph fixes them. */
  readonly batch: number | undefined;
}

export interface DecoderPort {
  readonly input: string;
  readonly output: string;
  readonly dtype: FloatType;
  readonly batch: number | undefined;
}

/** Latents as users see them: (latent − shift) · scale, by channel; one value stands for all channels. */
export interface LatentScaling {
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

/** Numbers that 8-bit values 0..255 stand for: value · scale + offset. */
export interface ByteRange {
  readonly scale: number;
  readonly offset: number;
}

/** A VAE's networks, however they came about: made from a recipe, or imported. */
export interface Networks {
  /** Shape of one example, −1 on a spatial axis that may have any size. */
  readonly dataShape: readonly number[];
  /** Shape of one latent, −1 likewise. */
  readonly latentShape: readonly number[];
  /** Data elements for each latent element along every spatial axis; absent where there are none. */
  readonly downsampling: number | undefined;
  /** Side of a tile that suits the model, in data elements, where its maker says so. */
  readonly tileSize: number | undefined;
  /** Elements of one row of the widest value inside the networks, where that is known. */
  readonly widest?: number | undefined;
  readonly encoder: EncoderPort;
  readonly decoder: DecoderPort;
  readonly scaling: LatentScaling | undefined;
  readonly bytes: ByteRange;
  /** Values that the model is defined on; not given: any number. */
  readonly domain?: Domain | undefined;
  /** How data as it is becomes what the networks take, and back. */
  readonly dataScaling?: ArrayRecipe | undefined;
  /** The smallest and largest log-variance; what the encoder gives beyond is clamped. */
  readonly logVarianceRange: readonly [number, number] | undefined;
  /** Whether there is a graph of the evidence lower bound. */
  readonly hasObjective: boolean;
  /** Names and sizes of the stochastic layers, in the order of the latent's dimensions; one where not given. */
  readonly layers?: readonly { readonly name: string; readonly size: number }[] | undefined;
  /** Number of classes, where the graphs take labels. */
  readonly classes?: number | undefined;
  /** What a draw from the prior takes, where it is not the standard normal and needs a graph. */
  readonly priorNoise?: readonly NoiseSpec[] | undefined;
  /** Whether a draw from the posterior needs a graph: its mean and variance do not say all. */
  readonly posteriorGraph?: boolean;
  open(kind: SessionKind, options: SessionOptions): Promise<GraphSession>;
  /** The graph itself. */
  graph(kind: SessionKind): Promise<Model>;
}

/** The networks for data as it is, where the recipe of arrays says how that is scaled. */
export function withDataScaling(networks: Networks, recipe: unknown): Networks {
  if ((recipe as ArrayRecipe | undefined)?.kind !== 'array') return networks;
  return { ...networks, dataScaling: recipe as ArrayRecipe, bytes: { scale: 1, offset: 0 } };
}

/** Log-variance of a posterior that is a single point: the least that diffusers' own clamp allows. */
export const POINT_LOG_VARIANCE = -30;

/** The shape of the latents of data of this shape. */
export function latentShapeFor(networks: Networks, dataShape: readonly number[], where: string): readonly number[] {
  if (!networks.latentShape.includes(-1)) return networks.latentShape;
  return networks.latentShape.map((dim, axis) => {
    if (dim !== -1) return dim;
    const size = dataShape[axis]!;
    const factor = networks.downsampling!;
    if (size % factor !== 0) {
      const near = Math.max(factor, Math.round(size / factor) * factor);
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${where}: this model reduces every side by ${factor}, so sides are multiples of ${factor}; received ` +
          `[${dataShape.join(', ')}]. Crop, pad or resize it, say to ${near} on axis ${axis + 1}.`,
      );
    }
    return size / factor;
  });
}

/** The shape of the data that latents of this shape decode to. */
export function dataShapeFor(networks: Networks, latentShape: readonly number[]): readonly number[] {
  if (!networks.dataShape.includes(-1)) return networks.dataShape;
  return networks.dataShape.map((dim, axis) => (dim === -1 ? latentShape[axis]! * networks.downsampling! : dim));
}
