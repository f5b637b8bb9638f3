/**
 * The file of a model of photographs: safetensors, all of them integers. Its SHA-256 is the model's identity.
 * docs/archive-format.md describes it.
 */
import { z } from 'zod';
import { decodeSafeTensors, encodeSafeTensors, type SafeTensor } from '../../../artifacts/safetensors.js';
import type { IntegerLayer, PhotoCodecSpec, PhotoRole } from '../../../binding/coder.js';
import { VaeError } from '../../../core/errors.js';
import { HIDDEN_TOP } from '../../integers/integer-layer.js';
import { alignedCopy, readTensorsHeader, tensorsDigest, tensorTaker } from '../../models/tensors-file.js';
import { type PhotoConfig, photoConfigSchema, ROLES } from './config.js';

const FORMAT = 'node-vae.photographs';
/** Of the file, and of how tiles are coded under it. */
export const PHOTO_MODEL_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const headerSchema = z.strictObject({
  version: z.literal(PHOTO_MODEL_VERSION, {
    error: `made by another version of node-vae; this one reads version ${PHOTO_MODEL_VERSION}`,
  }),
  config: photoConfigSchema,
  /** SHA-256 of what the coder makes of fixed tiles; another value means another arithmetic. */
  fingerprint: sha256,
  /** SHA-256 of the tensors' bytes in the order of their names: a damaged file is told from a strange one. */
  tensors: sha256,
});

export interface PhotoModel {
  readonly config: PhotoConfig;
  readonly spec: PhotoCodecSpec;
  readonly fingerprint: string;
}

export function encodePhotoModel({ config, spec, fingerprint }: PhotoModel): Uint8Array {
  const tensors = new Map<string, SafeTensor>();
  const add = (name: string, dtype: SafeTensor['dtype'], dims: readonly number[], array: ArrayBufferView) =>
    tensors.set(name, { dtype, dims, data: new Uint8Array(array.buffer, array.byteOffset, array.byteLength) });
  for (const [role, { prior, networks }] of spec.roles.entries()) {
    const side = Math.sqrt(prior.length);
    add(`${role}.prior`, 'int32', [side, side], prior);
    for (const [effort, layers] of networks.entries()) {
      for (const [index, layer] of layers.entries()) {
        const path = layerPath(role, effort, index);
        add(`${path}.weights`, 'int16', [layer.outputs, layer.inputs], layer.weights);
        add(`${path}.bias`, 'int32', [layer.outputs], layer.bias);
        add(`${path}.shift`, 'uint8', [layer.outputs], layer.shift);
      }
    }
  }
  const header = { version: PHOTO_MODEL_VERSION, config, fingerprint, tensors: tensorsDigest(tensors) };
  return Buffer.concat(encodeSafeTensors({ tensors, metadata: { format: FORMAT, codec: JSON.stringify(header) } }));
}

/** @throws VaeError ERR_VAE_FORMAT for anything that is not a model of photographs of this version. */
export function decodePhotoModel(bytes: Uint8Array, where: string): PhotoModel {
  const { tensors, metadata } = decodeSafeTensors(bytes, where);
  const fail = (what: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not a model for photographs without loss: ${what}.`);
  };
  if (metadata['format'] !== FORMAT) fail(`its metadata has no "format": "${FORMAT}"`);
  const { config, fingerprint } = readTensorsHeader(headerSchema, { tensors, metadata }, fail);
  const take = tensorTaker(tensors, fail);
  const layer = (path: string, isLast: boolean): IntegerLayer => {
    const matrix = take(`${path}.weights`, 'int16');
    const [outputs, inputs] = matrix.dims;
    if (matrix.dims.length !== 2 || outputs === undefined || inputs === undefined) {
      return fail(`tensor "${path}.weights" has ${matrix.dims.length} dimensions, expected 2`);
    }
    return {
      ...{ inputs, outputs, low: isLast ? -32767 : 0, high: isLast ? 32767 : HIDDEN_TOP },
      weights: new Int16Array(alignedCopy(matrix.data, 2)),
      bias: new Int32Array(alignedCopy(take(`${path}.bias`, 'int32').data, 4)),
      shift: new Uint8Array(alignedCopy(take(`${path}.shift`, 'uint8').data, 1)),
    };
  };
  const roles = Array.from(
    { length: ROLES },
    (_, role): PhotoRole => ({
      prior: new Int32Array(alignedCopy(take(`${role}.prior`, 'int32').data, 4)),
      networks: config.hidden.map((widths, effort) =>
        Array.from({ length: widths.length + 1 }, (_, index) =>
          layer(layerPath(role, effort, index), index === widths.length),
        ),
      ),
    }),
  );
  return { config, spec: { components: config.components, roles }, fingerprint };
}

function layerPath(role: number, effort: number, index: number): string {
  return `${role}.${effort}.${index}`;
}
