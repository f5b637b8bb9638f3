/** From two exported ONNX graphs to a model that can be trained further. */
import { types } from 'node:util';
import { z } from 'zod';
import { headShape } from '../architectures/architecture.js';
import { buildTraining, describeParameters, type VaeNetwork } from '../architectures/graphs.js';
import {
  type ImportedGraphs,
  importedWeight,
  trainableInitializers,
  valueBeforeEnd,
  withoutEnd,
} from '../architectures/imported-graph.js';
import { withMean } from '../architectures/imported-tail.js';
import { type Tie, tiesOf, untied } from '../architectures/imported-ties.js';
import { dataShapeOf, type InputSpec, inputSchema } from '../architectures/input.js';
import { latentShapeOf, type PosteriorValues, posteriorSchema } from '../architectures/onnx.js';
import type { ParameterStore } from '../architectures/parameters.js';
import { makeVaeNetwork, recipeSchema, recipeShape } from '../architectures/vae-network.js';
import { elementCount } from '../core/dtype.js';
import { isVaeError, VaeError } from '../core/errors.js';
import { seedSchema } from '../core/seed.js';
import { warn } from '../core/warn.js';
import { differentiate } from '../grad/index.js';
import { GraphBuilder, type Model, readModel, writeModel } from '../graph/index.js';
import type { Shape, ValueInfo } from '../graph/ir.js';
import { type Likelihood, type LikelihoodConfig, makeLikelihood } from '../nn/likelihoods/index.js';
import { describeOutputs, findPosterior, type OutputFacts } from './foreign/find-posterior.js';
import { warnOfNoise } from './foreign/noise.js';
import { OUTPUT_VALUES, outputValues } from './foreign/output-values.js';
import { normalNumbers, type RunGraph } from './foreign/run-graph.js';
import { Trace } from './foreign/trace.js';
import { initializeParameters } from './initialize.js';
import type { ModelParts } from './model-io.js';
import { type OrtDirectory, readOrtDirectory } from './onnxruntime/directory.js';
import { findHalves } from './onnxruntime/halves.js';
import { ortTraining } from './onnxruntime/vae-training.js';

const file = z.union([z.string().min(1), z.custom<Uint8Array>(types.isUint8Array)], {
  error: 'expected the path of an ONNX file, or its bytes',
});

export const importShape = {
  /** Path or bytes of the encoder: one float32 input, [N, ...data]. External data lies beside its file. */
  encoder: file.optional(),
  /** Path or bytes of the decoder: one float32 input, [N, ...latent], and one output, [N, ...data]. */
  decoder: file.optional(),
  /**
   * In place of the two: a directory of onnxruntime-training, of a VAE whose loss takes data and noise. Encoder and
   * decoder are found in its graph, and `fit({ resume: true })` goes on with its optimizer and its moments.
   */
  artifacts: z.string().min(1).optional(),
  /** Another checkpoint than that directory's own. */
  checkpoint: z.string().min(1).optional(),
  /**
   * What the encoder's outputs are, where it cannot be told: mean and log-variance, `variance`, `std` or `logStd`; or
   * `moments`, mean and log-variance in one along the axis of channels.
   */
  outputs: posteriorSchema.optional(),
  /** What one example is; needed where the encoder's input leaves its sides open. */
  input: inputSchema.optional(),
  /**
   * How the decoder's output is compared with data. `bernoulli`, `continuous-bernoulli` and `categorical` take
   * logits or probabilities: which they are is told by the interval that the output lies in. decode() gives the
   * mean of the likelihood, and so do the files that save() writes. Default `bernoulli`.
   */
  likelihood: recipeShape.likelihood,
  /**
   * What the decoder gives, where the graph and a trial leave it open: `logits`, of which σ is the probability, or
   * `probabilities`.
   */
  output: z.enum(OUTPUT_VALUES).optional(),
  objective: recipeShape.objective,
  /**
   * Weights that are not trained: names such as `encoder.conv1.weight`, names with `*`, or patterns.
   * Default: none.
   */
  freeze: z.array(z.union([z.string(), z.instanceof(RegExp)])).default([]),
  /**
   * Gives weights that the exporter merged because they were equal one each, so that they are trained apart. Default
   * false: they stay one, and a warning says so.
   */
  untie: z.boolean().default(false),
  /** Seed of training where fit() is given none. Default 0. */
  seed: seedSchema.default(0),
};

const importSchema = z.strictObject(importShape);
export type ImportOptions = z.output<typeof importSchema>;

/**
 * @param run tries the graphs out: on data and on draws from the prior.
 * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_GRAPH or ERR_VAE_UNSUPPORTED_OPERATOR for graphs that cannot be read
 *   or are not the halves of a VAE; ERR_VAE_OPTION for a pattern that freezes nothing, and where what the decoder
 *   gives cannot be told.
 */
export async function importOnnx(given: ImportOptions, run: RunGraph): Promise<ModelParts> {
  const { halves: read, directory, options } = await openGraphs(given);
  const graphs = settleTies(read, options.untie);
  const data = onlyInput(graphs.encoder, 'encoder');
  const latent = onlyInput(graphs.decoder, 'decoder');
  checkBatch(data, 'encoder');
  checkBatch(latent, 'decoder');
  const input = options.input ?? inputOf(data);
  const dataShape = dataShapeOf(input);
  checkInput(dataShape, graphs.encoder);
  const posterior = await posteriorOf(options, graphs, latent, dataShape, run);
  const likelihood = makeLikelihood(options.likelihood);
  const latentShape = latentShapeOf(graphs, dataShape, posterior);
  checkHalves(latentShape, latent, graphs);
  const end = await endOf(options, graphs.decoder, { likelihood, dataShape, latentShape, run });
  const imported: ImportedGraphs = { encoder: graphs.encoder, decoder: end.decoder };
  const recipe = recipeSchema.parse({
    architecture: {
      type: 'onnx',
      posterior,
      ...end.architecture,
      trainable: trainableOf(imported, options.freeze, directory?.trainable),
    },
    input,
    likelihood: options.likelihood,
    objective: options.objective,
  });
  warnOfNoise(imported.encoder, 'encoder', Object.values(posterior));
  warnOfNoise(imported.decoder, 'decoder', [end.architecture.output]);
  const vae = makeVaeNetwork(recipe, imported);
  const seed = BigInt(options.seed);
  const parameters = initializeParameters(describeParameters(vae), seed);
  for (const spec of parameters.specs) {
    const half = /^(encoder|decoder)\.(.*)$/s.exec(spec.name);
    if (half) parameters.view(spec).set(importedWeight(imported[half[1] as 'encoder' | 'decoder'], half[2]!));
  }
  checkGradients(vae, parameters);
  const description = {
    ...recipe,
    latentDim: vae.network.latentShape[0]!,
    seed: String(seed),
    parameterCount: parameters.count,
  };
  const training = directory && ortTraining(directory, { vae, parameters });
  return { description, vae, parameters, training };
}

/** Options with the files of both halves. */
interface HalfOptions extends ImportOptions {
  readonly encoder: string | Uint8Array;
  readonly decoder: string | Uint8Array;
}

async function openGraphs(options: ImportOptions): Promise<{
  readonly halves: ImportedGraphs;
  readonly directory?: OrtDirectory;
  readonly options: HalfOptions;
}> {
  const { encoder, decoder, artifacts, checkpoint, likelihood } = options;
  if (artifacts !== undefined && encoder === undefined && decoder === undefined) {
    const directory = await readOrtDirectory(artifacts, checkpoint);
    const halves = findHalves(directory.evaluation, directory.loss, `"${artifacts}"`);
    if (halves.likelihood === 'gaussian' && likelihood.type === 'bernoulli') {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `Vae.fromOnnx(): the loss in "${artifacts}" takes no logarithm of what the decoder gives, so it is not that of the ` +
          "likelihood bernoulli, which is the default; name the one that it is, such as likelihood: { type: 'gaussian', variance: 1 }.",
      );
    }
    const { mean, logVariance } = halves;
    const files = { encoder: writeModel(halves.encoder), decoder: writeModel(halves.decoder) };
    return { halves, directory, options: { ...options, ...files, outputs: options.outputs ?? { mean, logVariance } } };
  }
  if (artifacts !== undefined || checkpoint !== undefined || encoder === undefined || decoder === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'Vae.fromOnnx(): expected either encoder and decoder, or artifacts (and a checkpoint, if not its own): ' +
        'a directory that onnxruntime-training made.',
    );
  }
  const halves = { encoder: await readHalf(encoder), decoder: await readHalf(decoder) };
  return { halves, options: { ...options, encoder, decoder } };
}

/** What cannot be trained is refused now, not when the data have been prepared. */
function checkGradients(vae: VaeNetwork, parameters: ParameterStore): void {
  const { model, stopped } = buildTraining(vae, parameters.asInitializers);
  const trainable = parameters.specs.filter((spec) => spec.trainable).map(({ name }) => name);
  try {
    differentiate(GraphBuilder.from(model), { loss: 'loss', parameters: trainable, stopped });
  } catch (error) {
    if (!isVaeError(error)) throw error;
    throw new VaeError(
      error.code,
      `Vae.fromOnnx(): this model cannot be trained. ${error.message} To run it as it is, open it with Vae.load({ encoder, decoder }).`,
      { cause: error },
    );
  }
}

async function readHalf(source: string | Uint8Array): Promise<Model> {
  const options = { keepOpset: true };
  return typeof source === 'string' ? readModel(source, options) : readModel(source, options);
}

/** Says what is trained tied, or unties it. */
function settleTies(graphs: ImportedGraphs, untie: boolean): ImportedGraphs {
  const tied: Tie[] = [];
  const settled = (half: 'encoder' | 'decoder'): Model => {
    const ties = tiesOf(graphs[half], trainableInitializers(graphs[half]));
    if (untie) return untied(graphs[half], ties);
    tied.push(...ties.map(({ weight, copies }) => ({ weight: `${half}.${weight}`, copies })));
    return graphs[half];
  };
  const result = { encoder: settled('encoder'), decoder: settled('decoder') };
  if (tied.length === 0) return result;
  const count = tied.reduce((sum, { copies }) => sum + copies.length, 0);
  const { weight, copies } = tied[0]!;
  warn(
    `Vae.fromOnnx(): the exporter merged ${count} weights with others that they were equal to (${weight} is also ${copies[0]!.name}). They are ` +
      'trained as one and stay equal. Where they are to be trained apart, as they were before, give untie: true.',
    'WARN_VAE_TIED',
  );
  return result;
}

function onlyInput({ graph }: Model, role: 'encoder' | 'decoder'): ValueInfo {
  const [input, ...more] = graph.inputs;
  if (input?.dtype === 'float32' && more.length === 0 && (input.shape?.length ?? 0) >= 2) return input;
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `The ${role} must have one float32 input with rows on its first axis; it has ${describe(graph.inputs)}.`,
  );
}

function describe(values: readonly ValueInfo[]): string {
  return (
    values.map(({ name, dtype, shape }) => `"${name}" ${dtype} [${shape?.join(', ') ?? '?'}]`).join(', ') || 'none'
  );
}

function checkBatch({ name, shape }: ValueInfo, role: 'encoder' | 'decoder'): void {
  if (typeof shape![0] !== 'number') return;
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `The ${role}'s input "${name}" has a fixed batch of ${shape![0]}; export it with a dynamic first axis.`,
  );
}

function fixed(shape: Shape): readonly number[] | undefined {
  return shape.every((dim): dim is number => typeof dim === 'number') ? shape : undefined;
}

function inputOf(input: ValueInfo): InputSpec {
  const shape = fixed(input.shape!.slice(1));
  switch (shape?.length) {
    case 1:
      return { kind: 'vector', length: shape[0]! };
    case 2:
      return { kind: 'sequence', channels: shape[0]!, length: shape[1]! };
    case 3:
      return { kind: 'image', channels: shape[0]!, height: shape[1]!, width: shape[2]! };
    case 4:
      return { kind: 'video', channels: shape[0]!, frames: shape[1]!, height: shape[2]!, width: shape[3]! };
    default:
      throw new VaeError(
        'ERR_VAE_OPTION',
        `The encoder's input ${describe([input])} does not say what one example is; give the option input, such as ` +
          "{ kind: 'image', height: 64, width: 64, channels: 3 }.",
      );
  }
}

/** Numbers of a trial at most, so that it takes no time. */
const MOST_TRIED = 1 << 20;
const ROWS_TRIED = 64;

/** Rows of this shape for a trial. */
function rowsOf(shape: readonly number[], most: number, scale: number): { dims: number[]; data: Float32Array } {
  const rows = Math.max(2, Math.min(ROWS_TRIED, Math.floor(MOST_TRIED / most)));
  return { dims: [rows, ...shape], data: normalNumbers(rows * elementCount(shape), scale) };
}

const factsOf = ({ name, dtype, shape }: ValueInfo): OutputFacts => ({
  name,
  dtype,
  dims: (shape ?? []).map((dim) => (typeof dim === 'number' ? dim : -1)),
});

async function posteriorOf(
  { encoder, outputs }: HalfOptions,
  graphs: ImportedGraphs,
  latent: ValueInfo,
  dataShape: readonly number[],
  run: RunGraph,
): Promise<PosteriorValues> {
  const input = graphs.encoder.graph.inputs[0]!.name;
  let tried: ReturnType<RunGraph> | undefined;
  const found = await findPosterior(
    {
      file: 'The encoder',
      call: 'Vae.fromOnnx()',
      outputs: graphs.encoder.graph.outputs.map(factsOf),
      latent: factsOf(latent),
      misfit: ([first]) => misfit(first?.dims.slice(1) ?? [], graphs),
      graph: async () => graphs.encoder,
      trial: () => {
        tried ??= run(encoder, input, rowsOf(dataShape, elementCount(dataShape), 1));
        return tried;
      },
    },
    outputs,
  );
  if (!('point' in found)) return found;
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `The encoder's output "${found.point}" is a latent and no posterior: expected mean and log-variance, or both in one with twice the ` +
      "channels of the decoder's input. Export the encoder with both, name them with outputs: { mean, logVariance }, or run the model " +
      'as it is with Vae.load({ encoder, decoder }).',
  );
}

interface EndFacts {
  readonly likelihood: Likelihood;
  readonly dataShape: readonly number[];
  readonly latentShape: readonly number[];
  readonly run: RunGraph;
}

/** The decoder with the mean of the likelihood as its output, and what in it the likelihood is about. */
interface End {
  readonly decoder: Model;
  readonly architecture: { readonly output: string; readonly values?: 'probabilities'; readonly data?: string };
}

async function endOf(options: HalfOptions, decoder: Model, facts: EndFacts): Promise<End> {
  const { likelihood, output: said } = options;
  const { type } = likelihood;
  const result = findResult(decoder, likelihood, facts);
  const several = decoder.graph.outputs.length > 1 && { data: result };
  const tail = (model: Model, made: Pick<Likelihood, 'mean'>) => withMean(model, result, made, type);
  if (facts.likelihood.ofProbabilities === undefined) {
    if (said !== undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `Vae.fromOnnx(), output: likelihood "${type}" knows neither logits nor probabilities; leave output out.`,
      );
    }
    const { decoder: whole, head } = tail(decoder, facts.likelihood);
    return { decoder: whole, architecture: { output: head, ...several } };
  }
  const before = said === undefined || said === 'probabilities' ? valueBeforeEnd(decoder, result, type) : undefined;
  if (before !== undefined && type === 'bernoulli') return { decoder, architecture: { output: before, ...several } };
  if (before !== undefined && isReadOnce(decoder, result, before)) {
    const { decoder: whole, head } = tail(withoutEnd(decoder, result, before), facts.likelihood);
    return { decoder: whole, architecture: { output: head, ...several } };
  }
  const values = await outputValues({
    model: decoder,
    output: result,
    likelihood: type,
    said,
    seen: () => seenOf(options.decoder, decoder, result, facts),
  });
  if (values === 'logits') {
    const { decoder: whole, head } = tail(decoder, facts.likelihood);
    return { decoder: whole, architecture: { output: head, ...several } };
  }
  const { decoder: whole, head } = tail(decoder, facts.likelihood.ofProbabilities);
  return { decoder: whole, architecture: { output: head, values, ...several } };
}

/** Whether nothing but the output depends on the activation that takes this value. */
function isReadOnce({ graph }: Model, result: string, before: string): boolean {
  const trace = new Trace(graph);
  const leading = trace.leadingTo(result);
  const last = graph.nodes.find(({ inputs, outputs }) => inputs[0] === before && leading.has(outputs[0]!));
  const after = new Set(last?.outputs);
  for (const node of graph.nodes)
    if (node.inputs.some((name) => after.has(name))) for (const name of node.outputs) after.add(name);
  const ends = graph.outputs.filter(({ name }) => after.has(name));
  return (
    ends.length === 1 &&
    graph.nodes.every(({ inputs, outputs }) => !inputs.some((name) => after.has(name)) || leading.has(outputs[0]!))
  );
}

/** Smallest and largest value of what draws from the prior, and wider ones, decode to. */
async function seenOf(
  source: string | Uint8Array,
  { graph }: Model,
  result: string,
  { latentShape, dataShape, run }: EndFacts,
): Promise<readonly [number, number]> {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const scale of [1, 3]) {
    const latents = rowsOf(latentShape, Math.max(elementCount(dataShape), elementCount(latentShape)), scale);
    const { data } = (await run(source, graph.inputs[0]!.name, latents)).get(result)!;
    for (const value of data) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

/** The decoder's output that has the form of what the likelihood takes. */
function findResult({ graph }: Model, likelihood: LikelihoodConfig, { likelihood: made, dataShape }: EndFacts): string {
  const [head, ...more] = made.heads;
  const wanted = headShape(head!, dataShape);
  const fitting = graph.outputs.filter(
    ({ dtype, shape }) => dtype === 'float32' && (shape === undefined || fits(shape.slice(1), wanted)),
  );
  if (more.length === 0 && fitting.length === 1) return fitting[0]!.name;
  const needs =
    more.length > 0
      ? `"${likelihood.type}" with these options takes ${made.heads.length} outputs of a decoder, and imported ones have one`
      : `"${likelihood.type}" takes one output [N, ${wanted.join(', ')}] for examples [${dataShape.join(', ')}]`;
  throw new VaeError(
    more.length > 0 ? 'ERR_VAE_OPTION' : 'ERR_VAE_SHAPE',
    `The decoder and the likelihood do not fit each other: likelihood ${needs}; the decoder gives ${describeOutputs(graph.outputs.map(factsOf))}.`,
  );
}

function trainableOf(
  graphs: ImportedGraphs,
  freeze: readonly (string | RegExp)[],
  only: readonly string[] | undefined,
): Record<keyof ImportedGraphs, string[]> {
  const patterns = freeze.map((pattern) => (typeof pattern === 'string' ? wildcard(pattern) : pattern));
  const used = new Set<number>();
  const kept = (half: keyof ImportedGraphs): string[] =>
    trainableInitializers(graphs[half]).filter((name) => {
      if (only !== undefined && !only.includes(name)) return false;
      const matches = patterns.map((pattern, index) => [pattern.test(`${half}.${name}`), index] as const);
      for (const [matched, index] of matches) if (matched) used.add(index);
      return !matches.some(([matched]) => matched);
    });
  const result = { encoder: kept('encoder'), decoder: kept('decoder') };
  const idle = freeze.find((_, index) => !used.has(index));
  if (idle !== undefined) {
    const known = [
      ...trainableInitializers(graphs.encoder)
        .slice(0, 3)
        .map((name) => `encoder.${name}`),
      '...',
    ];
    throw new VaeError(
      'ERR_VAE_OPTION',
      `Vae.fromOnnx(): freeze ${String(idle)} names no weight; weights are ${known.join(', ')}.`,
    );
  }
  return result;
}

function wildcard(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

function checkInput(dataShape: readonly number[], { graph }: Model): void {
  if (fits(graph.inputs[0]!.shape!.slice(1), dataShape)) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `One example has shape [${dataShape.join(', ')}], the encoder takes ${describe(graph.inputs)}.`,
  );
}

function checkHalves(latentShape: readonly number[], latent: ValueInfo, graphs: ImportedGraphs): void {
  if (!fits(latent.shape!.slice(1), latentShape)) throw misfit(latentShape, graphs);
}

function misfit(latentShape: readonly number[], { encoder, decoder }: ImportedGraphs): VaeError {
  return new VaeError(
    'ERR_VAE_SHAPE',
    `The encoder and the decoder do not fit each other: the encoder makes latents [${latentShape.join(', ')}] of examples ` +
      `${describe(encoder.graph.inputs)}, the decoder takes ${describe(decoder.graph.inputs)}.`,
  );
}

function fits(declared: Shape, shape: readonly number[]): boolean {
  return (
    declared.length === shape.length && declared.every((dim, axis) => typeof dim === 'string' || dim === shape[axis])
  );
}
