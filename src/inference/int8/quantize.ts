/** A model's networks in 8-bit integers: ranges are measured on examples, then the graphs are rewritten. */
import { NAMES } from '../../architectures/names.js';
import type { SessionOptions } from '../../binding/addon.js';
import { STREAMS } from '../../binding/streams.js';
import { VaeError } from '../../core/errors.js';
import { type Model, writeModel } from '../../graph/index.js';
import type { CallOptions, Engine } from '../engine.js';
import type { Networks, SessionKind } from '../networks.js';
import { labelFeeds, rowLabels } from '../rows/labels.js';
import { normalRows } from '../rows/noise.js';
import { rowsPerRun } from '../rows/pieces.js';
import { type BatchInput, type RowReader, readRows } from '../rows/rows.js';
import { GraphSession, withDomain } from '../sessions/session.js';
import { observedModel, quantizedInputs, quantizeModel, type Range } from './quantize-graph.js';

interface QuantizedNetworks {
  readonly networks: Networks;
  /** Matrix products and convolutions in integers, over encoder and decoder. */
  readonly products: number;
  /** Bytes of encoder and decoder as ONNX files, before and after. */
  readonly bytes: { readonly float32: number; readonly int8: number };
}

/** Graphs that are rewritten; those of priors and of importance sampling stay as they are. */
type QuantizedKind = 'encoder' | 'decoder' | 'objective';
type Feed = (from: number, to: number) => Promise<Parameters<GraphSession['run']>[0]>;

interface QuantizeOptions {
  /** Examples like those to come; a few hundred are enough. */
  readonly reader: RowReader;
  /** Their labels, for conditional models. */
  readonly labels: Int32Array | undefined;
  readonly seed: bigint;
  readonly signal: AbortSignal | undefined;
}

/**
 * An engine of its own for the same model in 8-bit integers.
 *
 * @throws VaeError ERR_VAE_OPTION where nothing in the networks can be done in integers.
 */
export async function quantizeEngine(
  engine: Engine,
  batch: BatchInput,
  seed: bigint,
  { signal, labels }: Pick<CallOptions, 'signal' | 'labels'>,
): Promise<{ engine: Engine } & Omit<QuantizedNetworks, 'networks'>> {
  const { dataShape, bytes } = engine.networks;
  const reader = readRows(batch, dataShape, 'quantize()', { bytes, signal });
  const classes = rowLabels(engine.networks, labels, batch, reader.rows, 'quantize()');
  const { networks, ...rest } = await quantizeNetworks(engine, { reader, labels: classes, seed, signal });
  return { engine: engine.with(networks), ...rest };
}

async function quantizeNetworks(
  engine: Engine,
  { reader, labels, seed, signal }: QuantizeOptions,
): Promise<QuantizedNetworks> {
  const { networks } = engine;
  const { encoder, decoder } = networks;
  if (
    encoder.dtype !== 'float32' ||
    decoder.dtype !== 'float32' ||
    encoder.batch !== undefined ||
    decoder.batch !== undefined
  ) {
    throw new VaeError('ERR_VAE_OPTION', 'quantize(): expected networks in float32 that take batches of any size.');
  }
  const { mean, logVariance, dims } = await engine.encode(
    { data: (await reader.read(0, reader.rows)).data, shape: [reader.rows, ...reader.rowShape] },
    { signal, labels },
    'quantize()',
  );
  // The decoder sees draws from posteriors and from the prior.
  const noise = normalRows(2 * reader.rows, dims.slice(1), seed, STREAMS.reconstruction, 0);
  const latents = noise.data as Float32Array;
  for (let index = 0; index < mean.length; index += 1) {
    latents[index] = mean[index]! + Math.exp(0.5 * logVariance[index]!) * latents[index]!;
  }
  const drawn = readRows({ data: latents, shape: noise.dims }, networks.latentShape, 'quantize()');
  const told = labelFeeds(networks, labels, undefined, reader.rows, 'quantize()');
  const toldTwice = labels && labelFeeds(networks, [...labels, ...labels], undefined, drawn.rows, 'quantize()');
  const one = { dtype: 'float32' as const, dims: [], data: Float32Array.of(1) };
  const feeds: Record<QuantizedKind, { reader: RowReader; feed: Feed }> = {
    encoder: {
      reader,
      feed: async (from, to) => ({ [encoder.input]: await reader.read(from, to), ...told?.(from, to) }),
    },
    decoder: {
      reader: drawn,
      feed: async (from, to) => ({ [decoder.input]: await drawn.read(from, to), ...toldTwice?.(from, to) }),
    },
    objective: {
      reader,
      feed: async (from, to) => ({
        [NAMES.input]: await reader.read(from, to),
        [NAMES.epsilon]: normalRows(to - from, dims.slice(1), seed, STREAMS.scoreNoise, from),
        [NAMES.klWeight]: one,
        ...told?.(from, to),
      }),
    },
  };
  const kinds: readonly QuantizedKind[] = networks.hasObjective
    ? ['encoder', 'decoder', 'objective']
    : ['encoder', 'decoder'];
  const quantized = new Map<SessionKind, Model>();
  const bytes = { float32: 0, int8: 0 };
  let products = 0;
  for (const kind of kinds) {
    signal?.throwIfAborted();
    const model = await networks.graph(kind);
    const ranges = await measureRanges(model, feeds[kind].reader, feeds[kind].feed, engine.sessionOptions);
    const result = quantizeModel(model, ranges);
    quantized.set(kind, result.model);
    if (kind === 'objective') continue;
    products += result.products;
    bytes.float32 += writeModel(model).byteLength;
    bytes.int8 += writeModel(result.model).byteLength;
  }
  if (products === 0) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'quantize(): these networks have no matrix product or convolution with constant weights large enough to gain from integers.',
    );
  }
  return { networks: withGraphs(networks, quantized), products, bytes };
}

function withGraphs(networks: Networks, graphs: ReadonlyMap<SessionKind, Model>): Networks {
  return {
    ...networks,
    graph: async (kind) => graphs.get(kind) ?? networks.graph(kind),
    open(kind, options) {
      const model = graphs.get(kind);
      return model === undefined
        ? networks.open(kind, options)
        : GraphSession.open(writeModel(model), `Vae's ${kind}`, withDomain(kind, networks.domain, options));
    },
  };
}

async function measureRanges(
  model: Model,
  reader: RowReader,
  feed: Feed,
  options: SessionOptions,
): Promise<Map<string, Range>> {
  const names = quantizedInputs(model);
  const ranges = new Map<string, Range>();
  if (names.length === 0) return ranges;
  const session = await GraphSession.open(writeModel(observedModel(model, names)), 'calibration', options);
  try {
    const wanted = names.flatMap((_, index) => [{ name: `min_${index}` }, { name: `max_${index}` }]);
    const step = rowsPerRun(undefined, undefined, reader.rowShape);
    for (let from = 0; from < reader.rows; from += step) {
      const results = await session.run(await feed(from, Math.min(reader.rows, from + step)), wanted);
      names.forEach((name, index) => {
        const min = Number(results[2 * index]!.data[0]);
        const max = Number(results[2 * index + 1]!.data[0]);
        const known = ranges.get(name) ?? { min, max };
        ranges.set(name, { min: Math.min(known.min, min), max: Math.max(known.max, max) });
      });
    }
  } finally {
    await session.close();
  }
  return ranges;
}
