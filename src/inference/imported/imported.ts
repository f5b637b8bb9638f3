/** Networks from ONNX files of anyone's making: what is what is found by type, rank and shape. */

import { compatible, type FoundPosterior, findPosterior, isFloat } from '../../artifacts/foreign/find-posterior.js';
import { normalNumbers } from '../../artifacts/foreign/run-graph.js';
import type { SessionOptions, ValueDescription } from '../../binding/addon.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { type Model, readModel, writeModel } from '../../graph/index.js';
import type {
  ByteRange,
  DecoderPort,
  EncoderPort,
  FloatType,
  LatentScaling,
  Networks,
  PosteriorOutput,
  SessionKind,
} from '../networks.js';
import { GraphSession } from '../sessions/session.js';
import { runSession } from './run-graph.js';
import { withPosterior } from './with-posterior.js';

export interface ImportedSource {
  /** Path, or ONNX bytes. */
  readonly encoder: string | Uint8Array;
  readonly decoder: string | Uint8Array;
  /** What the encoder's outputs are, where they cannot be told apart by themselves. */
  readonly outputs?: FoundPosterior | undefined;
  readonly scaling?: LatentScaling | undefined;
  readonly bytes: ByteRange;
  readonly logVarianceRange?: readonly [number, number] | undefined;
  readonly tileSize?: number | undefined;
  /** For messages: what the encoder and the decoder are called. */
  readonly names: { readonly encoder: string; readonly decoder: string };
}

/**
 * Studies the two graphs, opened as sessions. A graph whose shapes leave open what the other side
 * needs is run once, on zeros.
 *
 * @throws VaeError ERR_VAE_GRAPH where they are not the two halves of a VAE.
 */
export async function describeNetworks(
  source: ImportedSource,
  encoder: GraphSession,
  decoder: GraphSession,
  posterior: PosteriorOutput,
): Promise<Networks> {
  const { names } = source;
  const data = onlyInput(encoder, names.encoder, 'encoder');
  const latent = onlyInput(decoder, names.decoder, 'decoder');
  const output = findReconstruction(decoder, data, names.decoder);
  const encoderPort: EncoderPort = {
    input: data.name,
    dtype: data.dtype as FloatType,
    posterior,
    batch: fixedBatch(data),
  };
  const decoderPort: DecoderPort = {
    input: latent.name,
    output: output.name,
    dtype: latent.dtype as FloatType,
    batch: fixedBatch(latent),
  };
  const shapes = await settleShapes(source, encoder, decoder, encoderPort, decoderPort);
  return {
    ...shapes,
    tileSize: source.tileSize,
    encoder: encoderPort,
    decoder: decoderPort,
    scaling: source.scaling === undefined ? undefined : checkScaling(source.scaling, shapes.latentShape[0]!),
    bytes: source.bytes,
    logVarianceRange: source.logVarianceRange,
    hasObjective: false,
    async graph(kind) {
      if (kind !== 'encoder' && kind !== 'decoder') throw noGraph(kind);
      const model = source[kind];
      return typeof model === 'string' ? readModel(model) : readModel(model);
    },
    open(kind, options) {
      if (kind !== 'encoder' && kind !== 'decoder') throw noGraph(kind);
      return openImported(source, kind, options);
    },
  };
}

/**
 * What the encoder gives, by the rule that imports go by. Where it is not mean and log-variance as they are, the
 * result has an encoder that gives them.
 *
 * @throws VaeError ERR_VAE_GRAPH where it cannot be told, ERR_VAE_OPTION for outputs that are not there.
 */
export async function posteriorOf(
  source: ImportedSource,
  encoder: GraphSession,
  decoder: GraphSession,
): Promise<{ readonly posterior: PosteriorOutput; readonly encoder?: Uint8Array }> {
  const { names } = source;
  const data = onlyInput(encoder, names.encoder, 'encoder');
  const latent = onlyInput(decoder, names.decoder, 'decoder');
  let read: Promise<Model> | undefined;
  const graph = (): Promise<Model> => {
    read ??= (async () =>
      typeof source.encoder === 'string' ? readModel(source.encoder) : readModel(source.encoder))();
    return read;
  };
  const found = await findPosterior(
    {
      file: names.encoder,
      call: 'Vae.load({ encoder, decoder, outputs })',
      outputs: encoder.outputs,
      latent,
      misfit: () =>
        new VaeError(
          'ERR_VAE_GRAPH',
          `${names.encoder} and ${names.decoder} do not fit each other: the decoder takes latents ${describe([latent])}, ` +
            `the encoder gives ${describe(encoder.outputs)}.`,
        ),
      // A graph with operators that only the runtime knows says nothing here, and runs all the same.
      graph: () => graph().catch(() => undefined),
      trial: () => runSession(encoder, data.name, trialRows(data)),
    },
    source.outputs,
  );
  if ('point' in found) return { posterior: { kind: 'point', name: found.point } };
  if ('moments' in found) return { posterior: { kind: 'moments', name: found.moments } };
  const isOutput = (name: string): boolean => encoder.outputs.some((output) => output.name === name);
  if ('logVariance' in found && isOutput(found.mean) && isOutput(found.logVariance)) {
    return { posterior: { kind: 'pair', ...found } };
  }
  const { model, ...pair } = withPosterior(await graph(), found);
  return { posterior: { kind: 'pair', ...pair }, encoder: writeModel(model) };
}

/** A few rows of what the encoder takes. */
function trialRows({ dims }: ValueDescription): { dims: number[]; data: Float32Array } {
  const [batch, ...shape] = dims.map((dim, axis) => (dim === -1 ? (axis === 0 ? 4 : PROBE_SIDE) : dim));
  const all = [batch!, ...shape];
  return { dims: all, data: normalNumbers(elementCount(all)) };
}

function noGraph(kind: SessionKind): VaeError {
  return new VaeError('ERR_VAE_GRAPH', `Imported networks have an encoder and a decoder, and no graph "${kind}".`);
}

export function openImported(
  source: ImportedSource,
  kind: 'encoder' | 'decoder',
  options: SessionOptions,
): Promise<GraphSession> {
  return GraphSession.open(source[kind], `Vae's ${kind}`, options);
}

function describe(values: readonly ValueDescription[]): string {
  return values.map(({ name, dtype, dims, symbols }) => `'${name}' ${dtype} ${shapeText(dims, symbols)}`).join(', ');
}

function shapeText(dims: readonly number[], symbols: readonly string[] = []): string {
  return `[${dims.map((dim, axis) => (dim === -1 ? symbols[axis] || '?' : dim)).join(', ')}]`;
}

function onlyInput(session: GraphSession, file: string, role: 'encoder' | 'decoder'): ValueDescription {
  const [input, ...more] = session.inputs;
  if (input !== undefined && more.length === 0 && isFloat(input) && input.dims.length >= 2) return input;
  const wanted = role === 'encoder' ? 'a batch of data' : 'a batch of latents';
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `${file} is not the ${role} of a VAE: expected one input, ${wanted}, float32 or float16 with rows on its first ` +
      `axis; it has ${describe(session.inputs) || 'none'}. Export the ${role} by itself.`,
  );
}

function fixedBatch({ dims }: ValueDescription): number | undefined {
  return dims[0]! > 0 ? dims[0] : undefined;
}

function findReconstruction(session: GraphSession, data: ValueDescription, file: string): ValueDescription {
  const fitting = session.outputs.filter((output) => isFloat(output) && compatible(output.dims, data.dims));
  if (fitting.length === 1) return fitting[0]!;
  const why = fitting.length === 0 ? 'no output has the form of the data' : 'several outputs have the form of the data';
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `${file} is not the decoder for this encoder: ${why}, ${describe([data])}; it gives ${describe(session.outputs)}.`,
  );
}

/** Sides of the zeros that a graph with open sides is tried on: enough for a downsampling by 32. */
const PROBE_SIDE = 64;

type Shapes = Pick<Networks, 'dataShape' | 'latentShape' | 'downsampling'>;

async function settleShapes(
  { names }: ImportedSource,
  encoder: GraphSession,
  decoder: GraphSession,
  encoderPort: EncoderPort,
  decoderPort: DecoderPort,
): Promise<Shapes> {
  const data = encoder.inputs[0]!.dims.slice(1);
  const { posterior } = encoderPort;
  const name = posterior.kind === 'pair' ? posterior.mean : posterior.name;
  const declared = encoder.outputs.find((output) => output.name === name)!.dims.slice(1);
  if (data[0] === -1) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `${names.encoder}: the first axis of an example is open in its input ${describe(encoder.inputs)}; export it with a fixed size there.`,
    );
  }
  const halved = (shape: readonly number[]): number[] =>
    posterior.kind === 'moments' && shape[0] !== -1 ? [shape[0]! / 2, ...shape.slice(1)] : [...shape];
  let latent = halved(declared);
  const taken = decoder.inputs[0]!.dims.slice(1);
  latent = latent.map((dim, axis) => (dim === -1 && data[axis] !== -1 ? taken[axis]! : dim));
  let probe = data;
  if (data.includes(-1) || latent.includes(-1)) {
    probe = data.map((dim) => (dim === -1 ? PROBE_SIDE : dim));
    const seen = halved(await tryOn(encoder, encoderPort, probe, name));
    const back = await tryOn(decoder, decoderPort, seen, decoderPort.output);
    if (back.length !== probe.length || back.some((dim, axis) => dim !== probe[axis])) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `${names.encoder} and ${names.decoder} do not fit each other: data [${probe.join(', ')}] comes back as [${back.join(', ')}].`,
      );
    }
    latent = seen;
  }
  const spatial = data.length === latent.length && data.length > 1;
  const factors = spatial ? probe.slice(1).map((dim, axis) => dim / latent[axis + 1]!) : [];
  const same = factors.length > 0 && factors.every((factor) => factor === factors[0] && Number.isInteger(factor));
  if (data.includes(-1) && !same) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `${names.encoder}: data [${probe.join(', ')}] gives latents [${latent.join(', ')}]; expected all sides to be reduced ` +
        'by the same whole number. Export it with fixed sides.',
    );
  }
  return {
    dataShape: data,
    latentShape: latent.map((dim, axis) => (axis > 0 && data[axis] === -1 ? -1 : dim)),
    downsampling: same ? factors[0] : undefined,
  };
}

/** Shape of one row of an output for zeros of this shape. */
async function tryOn(
  session: GraphSession,
  { input, dtype, batch = 1 }: Pick<EncoderPort, 'input' | 'dtype' | 'batch'>,
  shape: readonly number[],
  output: string,
): Promise<number[]> {
  const count = batch * elementCount(shape);
  const data = dtype === 'float16' ? new Uint16Array(count) : new Float32Array(count);
  const results = await session.run({ [input]: { dtype, dims: [batch, ...shape], data } }, [{ name: output }]);
  return results[0]!.dims.slice(1);
}

function checkScaling(scaling: LatentScaling, channels: number): LatentScaling {
  for (const values of [scaling.scale, scaling.shift]) {
    if (values.length === 1 || values.length === channels) continue;
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The config gives ${values.length} latent statistics, but the graphs have ${channels} latent channels.`,
    );
  }
  return scaling;
}
