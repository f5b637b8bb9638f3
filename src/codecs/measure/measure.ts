/** How small and how fast: a codec beside other compressors on the same items. */
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { type DatasetInput, toDataset } from '../../data/to-dataset.js';
import { compress } from '../compress.js';
import { CODECS, type CodecInput } from '../lossless/models.js';
import { findModel } from '../models/find.js';
import { openArchive } from '../open.js';
import { PEERS, type Peer, peerInput } from './peers.js';

export interface MeasureOptions extends InputOf<typeof optionsSchema> {}

const peerSchema = z.custom<Peer>(
  (value) =>
    typeof (value as Peer | null)?.name === 'string' &&
    (['obstacle', 'compress', 'decompress'] as const).every((name) => typeof (value as Peer)[name] === 'function'),
  'expected a name or { name, obstacle(), compress(), decompress() }',
);

const optionsSchema = z.strictObject({
  model: z.custom<CodecInput>(),
  /** Chunks coded at once. Default: one per processor. */
  threads: z.int().min(1).max(64).optional(),
  /** Other compressors that take part, by name (`PEER_NAMES`) or as objects, or false for none. Default: all by name. */
  peers: z.union([z.array(z.union([z.string(), peerSchema])), z.literal(false)]).optional(),
  ...signalShape,
});

/** One compressor's figures. What came out was compared with what went in, byte for byte. */
export interface Measured {
  readonly name: string;
  readonly bytes: number;
  readonly bitsPerDim: number;
  /** Millions of input bytes a second. */
  readonly compressMbPerSecond: number;
  readonly decompressMbPerSecond: number;
}

export interface CodecMeasurement {
  readonly items: number;
  readonly bytesIn: number;
  readonly modelBytes: number;
  /** Bits per dimension with the model's own file counted too. */
  readonly bitsPerDimWithModel: number;
  readonly ours: Measured;
  readonly peers: readonly Measured[];
  /** Compressors that could not take part, and why. */
  readonly missing: Readonly<Record<string, string>>;
}

/** Names that `peers` may list. */
export const PEER_NAMES: readonly string[] = PEERS.map(({ name }) => name);

/**
 * Compresses all items, unpacks them again, compares every byte, and does the same with others.
 *
 * @throws VaeError ERR_VAE_RUNTIME if anything came out differently.
 */
export async function measureCodec(input: DatasetInput, options: MeasureOptions): Promise<CodecMeasurement> {
  const { threads, peers, signal } = parseOptions(optionsSchema, options, 'measureCodec()');
  const chosen = choosePeers(peers);
  const { codec, owned } = await findModel([CODECS], options.model, 'measureCodec()');
  try {
    const where = { where: 'measureCodec()', rowShape: codec.itemShape, ...(signal && { signal }) };
    const data = await toDataset(input, where);
    const items = (await data.read(
      Array.from({ length: data.length }, (_, index) => index),
      signal,
    )) as Uint8Array;
    const common = { model: codec, ...(threads && { threads }), ...(signal && { signal }) };

    const started = performance.now();
    const { archive } = await compress({ data: items, shape: [data.length, ...codec.itemShape] }, common);
    const compressed = performance.now();
    await using opened = await openArchive(archive!, { model: codec });
    const restored = Buffer.alloc(items.length);
    let next = 0;
    const lanes = Array.from({ length: threads ?? 2 }, async () => {
      while (next < opened.chunkCount) {
        const chunk = next++;
        const { data: part } = await opened.readChunk(chunk, signal);
        restored.set(part, opened.chunk(chunk).firstItem * codec.itemSize);
      }
    });
    await Promise.all(lanes);
    const done = performance.now();
    const figures = (name: string, bytes: number, packMs: number, unpackMs: number, out: Uint8Array): Measured => {
      if (Buffer.compare(out, items) !== 0) {
        throw new VaeError('ERR_VAE_RUNTIME', `${name} did not give back what went in.`);
      }
      const speed = (ms: number) => items.length / 1000 / ms;
      return {
        ...{ name, bytes, bitsPerDim: (bytes * 8) / items.length },
        compressMbPerSecond: speed(packMs),
        decompressMbPerSecond: speed(unpackMs),
      };
    };
    const ours = figures('node-vae', archive!.length, compressed - started, done - compressed, restored);

    const others: Measured[] = [];
    const missing: Record<string, string> = {};
    const given = peerInput({ items, count: data.length, itemShape: codec.itemShape }, signal);
    for (const peer of chosen) {
      const obstacle = await peer.obstacle(given);
      if (obstacle !== undefined) {
        missing[peer.name] = obstacle;
        continue;
      }
      const from = performance.now();
      let [bytes, out]: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
      let between = from;
      try {
        bytes = await peer.compress(given);
        between = performance.now();
        out = await peer.decompress(bytes, given);
      } catch (error) {
        // Each peer says in its own words that it was stopped.
        signal?.throwIfAborted();
        throw error;
      }
      others.push(figures(peer.name, bytes.length, between - from, performance.now() - between, out));
      signal?.throwIfAborted();
    }
    const modelBytes = codec.file.length;
    return {
      ...{ items: data.length, bytesIn: items.length, modelBytes },
      bitsPerDimWithModel: ((ours.bytes + modelBytes) * 8) / items.length,
      ...{ ours, peers: others, missing },
    };
  } finally {
    if (owned) await codec.close();
  }
}

function choosePeers(peers: readonly (string | Peer)[] | false = PEER_NAMES): readonly Peer[] {
  if (peers === false) return [];
  return peers.map((entry) => {
    const peer = typeof entry === 'string' ? PEERS.find(({ name }) => name === entry) : entry;
    if (peer !== undefined) return peer;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `measureCodec(): unknown peer "${entry}"; known by name are ${PEER_NAMES.join(', ')}, others are given as objects.`,
    );
  });
}
