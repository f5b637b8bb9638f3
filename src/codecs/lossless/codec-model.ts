/**
 * The file of a codec model: safetensors with the integers of ItemCodecSpec, so that any language can
 * read it. Its SHA-256 is the model's identity.
 */
import { z } from 'zod';
import { decodeSafeTensors, encodeSafeTensors, type SafeTensor } from '../../artifacts/safetensors.js';
import type { IntegerLayer, ItemCodecSpec, LatentLevel } from '../../binding/coder.js';
import { VaeError } from '../../core/errors.js';
import { alignedCopy, readTensorsHeader, tensorsDigest, tensorTaker } from '../models/tensors-file.js';

const FORMAT = 'node-vae.codec';
/** Models of one level of latents are of version 1, those of several of version 2. */
const CODEC_VERSION = 1;
const LEVELS_VERSION = 2;

const count = (most: number) => z.int().min(1).max(most);
const clamps = z
  .array(z.tuple([z.int().min(-32768).max(32767), z.int().min(-32768).max(32767)]))
  .min(1)
  .max(64);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const headerShape = {
  /** Shape of an item as its data has it. */
  itemShape: z
    .array(count(2 ** 24))
    .min(1)
    .max(8),
  height: count(2 ** 20),
  width: count(2 ** 20),
  channels: count(4096),
  latents: count(65536),
  latentBits: count(11),
  features: count(1024),
  components: count(16),
  /** Range of each layer's outputs, [low, high]. */
  clamps: z.strictObject({ encoder: clamps, decoder: clamps, local: clamps }),
  /** SHA-256 of what the model makes of a fixed input; another value means another arithmetic. */
  fingerprint: sha256,
  /** SHA-256 of the tensors' bytes, in the order they stand in the file: a damaged file is told from a strange one. */
  tensors: sha256,
};

const headerSchema = z.discriminatedUnion(
  'version',
  [
    z.strictObject({ version: z.literal(CODEC_VERSION), ...headerShape }),
    z.strictObject({
      version: z.literal(LEVELS_VERSION),
      ...headerShape,
      /** Levels of latents above the first, from the data upwards. */
      levels: z
        .array(z.strictObject({ latents: count(65536), clamps: z.strictObject({ encoder: clamps, prior: clamps }) }))
        .min(1)
        .max(31),
    }),
  ],
  { error: `made by another version of node-vae; this one reads versions ${CODEC_VERSION} and ${LEVELS_VERSION}` },
);

type Header = z.output<typeof headerSchema>;

export interface CodecModel {
  readonly itemShape: readonly number[];
  readonly spec: ItemCodecSpec;
  readonly fingerprint: string;
}

const NETWORKS = ['encoder', 'decoder', 'local'] as const;
const LEVEL_NETWORKS = ['encoder', 'prior'] as const;
const PARTS = [
  ['weights', 'int16'],
  ['bias', 'int32'],
  ['shift', 'uint8'],
] as const;

/** Levels are numbered as the data has them: the first, below these, has no number in its names. */
function levelPath(index: number, part: (typeof LEVEL_NETWORKS)[number]): string {
  return `level.${index + 1}.${part}`;
}

export function encodeCodecModel({ itemShape, spec, fingerprint }: CodecModel): Uint8Array {
  const tensors = new Map<string, SafeTensor>();
  const { encoder, decoder, local, neighbours, levels, ...sizes } = spec;
  const add = (name: string, dtype: SafeTensor['dtype'], dims: number[], array: Int16Array | Int32Array | Uint8Array) =>
    tensors.set(name, { dtype, dims, data: littleEndian(array) });
  add('neighbours', 'int32', [neighbours.length / 2, 2], neighbours);
  const addLayers = (network: string, layers: readonly IntegerLayer[]) =>
    layers.forEach((layer, index) => {
      const path = `${network}.${index}`;
      add(`${path}.weights`, 'int16', [layer.outputs, layer.inputs], layer.weights);
      add(`${path}.bias`, 'int32', [layer.outputs], layer.bias);
      add(`${path}.shift`, 'uint8', [layer.outputs], layer.shift);
    });
  for (const network of NETWORKS) addLayers(network, spec[network]);
  levels.forEach((level, index) => {
    for (const part of LEVEL_NETWORKS) addLayers(levelPath(index, part), level[part]);
  });
  const range = (layers: readonly IntegerLayer[]) => layers.map(({ low, high }): [number, number] => [low, high]);
  const common = {
    itemShape: [...itemShape],
    ...sizes,
    clamps: { encoder: range(encoder), decoder: range(decoder), local: range(local) },
    fingerprint,
    tensors: tensorsDigest(tensors),
  };
  const header: Header =
    levels.length === 0
      ? { version: CODEC_VERSION, ...common }
      : {
          version: LEVELS_VERSION,
          ...common,
          levels: levels.map((level) => ({
            latents: level.latents,
            clamps: { encoder: range(level.encoder), prior: range(level.prior) },
          })),
        };
  return Buffer.concat(encodeSafeTensors({ tensors, metadata: { format: FORMAT, codec: JSON.stringify(header) } }));
}

/** @throws VaeError ERR_VAE_FORMAT for anything that is not a codec model of this version. */
export function decodeCodecModel(bytes: Uint8Array, where: string): CodecModel {
  const { tensors, metadata } = decodeSafeTensors(bytes, where);
  const fail = (what: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not a codec model: ${what}.`);
  };
  if (metadata['format'] !== FORMAT) {
    fail(`its metadata has no "format": "${FORMAT}". A model becomes a codec by vae.toCodec() or train --codec`);
  }
  const header = readTensorsHeader(headerSchema, { tensors, metadata }, fail);
  const take = tensorTaker(tensors, fail);
  const layers = (network: string, ranges: readonly (readonly [number, number])[]): IntegerLayer[] =>
    ranges.map(([low, high], index) => {
      const path = `${network}.${index}`;
      const [weights, bias, shift] = PARTS.map(([part, dtype]) => take(`${path}.${part}`, dtype));
      const [outputs, inputs] = weights!.dims;
      if (weights!.dims.length !== 2 || outputs === undefined || inputs === undefined) {
        return fail(`tensor "${path}.weights" has ${weights!.dims.length} dimensions, expected 2`);
      }
      return {
        inputs,
        outputs,
        weights: new Int16Array(alignedCopy(weights!.data, 2)),
        bias: new Int32Array(alignedCopy(bias!.data, 4)),
        shift: new Uint8Array(alignedCopy(shift!.data, 1)),
        low,
        high,
      };
    });
  const { height, width, channels, latents, latentBits, features, components, itemShape, fingerprint } = header;
  if (itemShape.reduce((product, dim) => product * dim, 1) !== height * width * channels) {
    fail(`its item shape [${itemShape.join(', ')}] does not have ${height * width * channels} values`);
  }
  const spec: ItemCodecSpec = {
    ...{ height, width, channels, latents, latentBits, features, components },
    neighbours: new Int32Array(alignedCopy(take('neighbours', 'int32').data, 4)),
    encoder: layers('encoder', header.clamps.encoder),
    decoder: layers('decoder', header.clamps.decoder),
    local: layers('local', header.clamps.local),
    levels: (header.version === LEVELS_VERSION ? header.levels : []).map(
      (level, index): LatentLevel => ({
        latents: level.latents,
        encoder: layers(levelPath(index, 'encoder'), level.clamps.encoder),
        prior: layers(levelPath(index, 'prior'), level.clamps.prior),
      }),
    ),
  };
  return { itemShape, spec, fingerprint };
}

/** Safetensors are little-endian, and so is every platform that this package has an addon for. */
function littleEndian(array: Int16Array | Int32Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
