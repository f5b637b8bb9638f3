/**
 * The file of a lossy model: safetensors. The transforms' weights are float16, rounded further; what the coder depends
 * on are integers. Its SHA-256 is the model's identity. docs/archive-format.md describes it.
 */
import { z } from 'zod';
import { collectParameters } from '../../architectures/parameters.js';
import { decodeSafeTensors, encodeSafeTensors, type SafeTensor } from '../../artifacts/safetensors.js';
import type { IntegerConv, LatentCodecSpec } from '../../binding/coder.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { float16ToFloat32, float32ToFloat16 } from '../../core/half.js';
import type { ParameterSpec } from '../../nn/scope.js';
import { alignedCopy, readTensorsHeader, tensorsDigest, tensorTaker } from '../models/tensors-file.js';
import { type LossyConfig, lossyConfigSchema } from './config.js';
import { buildNetwork, NETWORKS } from './graphs.js';
import { gainName } from './objective.js';
import type { Weights, WeightsOf } from './to-integers.js';

const FORMAT = 'node-vae.lossy';
const LOSSY_MODEL_VERSION = 2;
/** Of the transforms' weights. */
const MANTISSA_BITS = 7;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const int16 = z.int().min(-32768).max(32767);

const headerSchema = z.strictObject({
  version: z.literal(LOSSY_MODEL_VERSION, {
    error: `made by another version of node-vae; this one reads version ${LOSSY_MODEL_VERSION}`,
  }),
  config: lossyConfigSchema,
  /** Of each layer of the hyper synthesis. */
  hyper: z
    .array(z.strictObject({ kernel: z.int().min(1).max(5), doubles: z.literal([0, 1]), low: int16, high: int16 }))
    .max(16),
  /** SHA-256 of what the coder makes of fixed latents; another value means another arithmetic. */
  fingerprint: sha256,
  /** SHA-256 of the tensors' bytes in the order of their names: a damaged file is told from a strange one. */
  tensors: sha256,
});

type Header = z.output<typeof headerSchema>;

export interface LossyModel {
  readonly config: LossyConfig;
  /** The transforms' weights and the gains. */
  readonly weights: WeightsOf;
  readonly coder: LatentCodecSpec;
  readonly fingerprint: string;
}

/** The arrays of the transforms that a model of this configuration has. */
function transformSpecs(config: LossyConfig): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  for (const name of networksOf(config)) buildNetwork(name, config, collectParameters(specs));
  return specs;
}

export function networksOf({ prior }: LossyConfig): (typeof NETWORKS)[number][] {
  return NETWORKS.filter((name) => name !== 'hyper_analysis' || prior === 'hyperprior');
}

function gainNames({ lambdas }: LossyConfig): string[] {
  return (['up', 'down'] as const).flatMap((direction) => lambdas.map((_, level) => gainName(direction, level)));
}

/**
 * The nearest number of seven bits after the leading one: the file packs to five sixths, and pictures come
 * out the same within 0.07 dB at the best quality.
 */
function shorten(value: number): number {
  if (value === 0) return 0;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - MANTISSA_BITS);
  return Math.round(value / step) * step;
}

export function encodeLossyModel({ config, weights, coder, fingerprint }: LossyModel): Uint8Array {
  const tensors = new Map<string, SafeTensor>();
  const add = (name: string, dtype: SafeTensor['dtype'], dims: readonly number[], array: ArrayBufferView) =>
    tensors.set(name, { dtype, dims, data: new Uint8Array(array.buffer, array.byteOffset, array.byteLength) });
  for (const { name, dims } of transformSpecs(config)) {
    const halves = new Uint16Array(elementCount(dims));
    float32ToFloat16(weights(name).data.map(shorten), halves);
    add(name, 'float16', dims, halves);
  }
  for (const name of gainNames(config)) add(name, 'float32', [config.latents], Float32Array.from(weights(name).data));
  coder.hyper.forEach((layer, index) => {
    const path = `hyper_synthesis.${index}`;
    add(`${path}.weights`, 'int16', [layer.outputs, layer.inputs], layer.weights);
    add(`${path}.bias`, 'int32', [layer.outputs], layer.bias);
    add(`${path}.shift`, 'uint8', [layer.outputs], layer.shift);
  });
  add(
    'prior',
    'int32',
    [coder.levels, coder.prior.length / (3 * coder.levels * coder.components), coder.components, 3],
    coder.prior,
  );
  const header: Header = {
    version: LOSSY_MODEL_VERSION,
    config,
    hyper: coder.hyper.map(({ kernel, doubles, low, high }) => ({ kernel, doubles, low, high })),
    fingerprint,
    tensors: tensorsDigest(tensors),
  };
  return Buffer.concat(encodeSafeTensors({ tensors, metadata: { format: FORMAT, codec: JSON.stringify(header) } }));
}

/** @throws VaeError ERR_VAE_FORMAT for anything that is not a lossy model of this version. */
export function decodeLossyModel(bytes: Uint8Array, where: string): LossyModel {
  const { tensors, metadata } = decodeSafeTensors(bytes, where);
  const fail = (what: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not a model for lossy compression: ${what}.`);
  };
  if (metadata['format'] !== FORMAT) fail(`its metadata has no "format": "${FORMAT}"`);
  const header = readTensorsHeader(headerSchema, { tensors, metadata }, fail);
  const take = tensorTaker(tensors, fail);
  const { config, hyper, fingerprint } = header;
  const weights = new Map<string, Weights>();
  for (const { name, dims } of transformSpecs(config)) {
    const tensor = take(name, 'float16');
    if (String(tensor.dims) !== String(dims))
      fail(`tensor "${name}" has shape [${tensor.dims.join(', ')}], expected [${dims.join(', ')}]`);
    const data = new Float32Array(elementCount(dims));
    float16ToFloat32(new Uint16Array(alignedCopy(tensor.data, 2)), data);
    weights.set(name, { dims, data });
  }
  for (const name of gainNames(config)) {
    const data = new Float32Array(alignedCopy(take(name, 'float32').data, 4));
    if (data.length !== config.latents || !data.every(Number.isFinite))
      fail(`tensor "${name}" is not a gain for each channel`);
    weights.set(name, { dims: [config.latents], data });
  }
  const layers = hyper.map(({ kernel, doubles, low, high }, index): IntegerConv => {
    const path = `hyper_synthesis.${index}`;
    const matrix = take(`${path}.weights`, 'int16');
    const [outputs, inputs] = matrix.dims;
    if (matrix.dims.length !== 2 || outputs === undefined || inputs === undefined) {
      return fail(`tensor "${path}.weights" has ${matrix.dims.length} dimensions, expected 2`);
    }
    return {
      ...{ kernel, doubles, low, high, inputs, outputs },
      weights: new Int16Array(alignedCopy(matrix.data, 2)),
      bias: new Int32Array(alignedCopy(take(`${path}.bias`, 'int32').data, 4)),
      shift: new Uint8Array(alignedCopy(take(`${path}.shift`, 'uint8').data, 1)),
    };
  });
  const coder: LatentCodecSpec = {
    channels: config.latents,
    hyperChannels: config.prior === 'hyperprior' ? config.hyperLatents : 0,
    hyper: layers,
    levels: config.lambdas.length,
    components: config.components,
    prior: new Int32Array(alignedCopy(take('prior', 'int32').data, 4)),
  };
  return { config, weights: (name) => weights.get(name) ?? fail(`tensor "${name}" is missing`), coder, fingerprint };
}
