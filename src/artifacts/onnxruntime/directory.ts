/** A directory that onnxruntime-training made: training_model.onnx, eval_model.onnx, optimizer_model.onnx, checkpoint. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { readHead } from '../../core/ranges.js';
import { printable } from '../../graph/external-data.js';
import type { Constant, Graph, Model } from '../../graph/index.js';
import { prepareModel } from '../../graph/proto/load.js';
import { type DecodedModel, decodeModel } from '../../graph/proto/read.js';
import { type Artifacts, generateArtifacts } from '../generate.js';
import { decodeOrtCheckpoint, isOrtCheckpoint, type OrtCheckpoint, type OrtTensor } from './checkpoint.js';
import { keepForward, mendBatchNormalization, runningStatistics, trainsDifferently } from './forward.js';
import { type OrtOptimizer, readOrtOptimizer } from './optimizer.js';
import { toCheckpoint } from './state.js';

const ORT_FILES = {
  training: 'training_model.onnx',
  eval: 'eval_model.onnx',
  optimizer: 'optimizer_model.onnx',
  checkpoint: 'checkpoint',
  nominal: 'nominal_checkpoint',
} as const;

/** What a session keeps of a directory so as to write a checkpoint for it. */
export interface OrtOrigin {
  readonly directory: string;
  readonly checkpoint: OrtCheckpoint;
  readonly moments: OrtOptimizer['moments'];
}

/** A directory as files, not differentiated. */
export interface OrtDirectory {
  readonly directory: string;
  readonly checkpointPath: string;
  readonly checkpoint: OrtCheckpoint;
  readonly optimizer: OrtOptimizer;
  /** The loss from data and parameters, as it is trained and as it is evaluated; parameters are initializers. */
  readonly training: Model;
  readonly evaluation: Model;
  readonly loss: string;
  /** Outputs that somebody asked for beside the loss. */
  readonly extra: readonly string[];
  /** Names of trainable parameters in the graph's order. */
  readonly trainable: readonly string[];
  readonly states: Readonly<Record<string, string>>;
}

/**
 * Whether a directory holds what onnxruntime-training made, whole or not.
 *
 * @param checkpoint of a directory that has none of its own.
 */
export async function isOrtDirectory(directory: string, checkpoint?: string): Promise<boolean> {
  if (checkpoint !== undefined && isOrtCheckpoint(await headOf(checkpoint))) return true;
  if (await exists(join(directory, 'config.json'))) return false;
  for (const name of [ORT_FILES.checkpoint, ORT_FILES.nominal]) {
    if (isOrtCheckpoint(await headOf(join(directory, name)))) return true;
  }
  return exists(join(directory, 'training_model.ort'));
}

/**
 * @param checkpoint path of another checkpoint than the directory's own.
 * @throws VaeError ERR_VAE_IO for files that are not there, ERR_VAE_FORMAT for damaged ones and for a checkpoint without
 *   values, ERR_VAE_UNSUPPORTED_OPERATOR for graphs that cannot be trained here.
 */
export async function readOrtDirectory(directory: string, checkpoint?: string): Promise<OrtDirectory> {
  await refuseOrtFormat(directory);
  const checkpointPath = checkpoint ?? join(directory, ORT_FILES.checkpoint);
  const state = await readOrtCheckpoint(checkpointPath);
  if (state.nominal) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `"${checkpointPath}" is a nominal checkpoint: it names the parameters and has no values, so there is nothing to train. ` +
        'Give a full one beside the graphs with the option checkpoint, or generate the artifacts with nominal_checkpoint=False.',
    );
  }
  const [rate] = state.groups.map(({ initialLearningRate }) => initialLearningRate).filter((each) => each > 0);
  const optimizerPath = join(directory, ORT_FILES.optimizer);
  const optimizer = readOrtOptimizer(await read(optimizerPath), `"${optimizerPath}"`, rate);
  const evalPath = join(directory, ORT_FILES.eval);
  const evalGraph = await decode(evalPath, directory);
  mendBatchNormalization(evalGraph.model.graph, `"${evalPath}"`);
  const outputs = evalGraph.model.graph.outputs.map(({ name }) => name);
  const loss = outputs[0];
  if (loss === undefined) throw new VaeError('ERR_VAE_GRAPH', `"${evalPath}" has no output; expected the loss.`);
  // Checkpoints have their parameters in an order of their own; ONNX Runtime's is that of the graph.
  const order = evalGraph.model.graph.inputs.map(({ name }) => name);
  refuseStrangers(state, evalGraph.model.graph, checkpointPath);
  keepForward(evalGraph.model.graph, outputs, `"${evalPath}"`);
  const differs = trainsDifferently(evalGraph.model.graph);
  const training = differs ? await forwardOf(directory, outputs) : evalGraph;
  const { graph } = training.model;
  for (const each of new Set([training, evalGraph])) withParameters(each, state, checkpointPath);
  const states = differs ? runningStatistics(graph) : {};
  const prepared = prepareModel(training);
  return {
    directory,
    checkpointPath,
    checkpoint: state,
    optimizer,
    training: prepared,
    evaluation: differs ? prepareModel(evalGraph) : prepared,
    loss,
    extra: outputs.slice(1),
    trainable: order.filter((name) => state.trainable.some((tensor) => tensor.name === name)),
    states,
  };
}

/** The directory differentiated by this package, ready for a session. */
export function ortArtifacts(source: OrtDirectory): Artifacts & { readonly origin: OrtOrigin } {
  const { training, evaluation, loss, states, checkpoint, optimizer, directory } = source;
  const used = new Set(training.graph.nodes.flatMap(({ inputs }) => inputs));
  const trainable = source.trainable.filter((name) => used.has(name));
  const clip = optimizer.clipGradientNorm;
  const artifacts = generateArtifacts({
    model: training,
    evaluation,
    loss,
    perExample: [loss, ...source.extra.filter((name) => isRows(evaluation, name))],
    trainable,
    // ONNX Runtime's decay spares nothing.
    noDecay: [],
    states,
    optimizer: optimizer.optimizer,
    ...(clip === undefined ? {} : { clipGradientNorm: clip }),
    accumulation: 'sum',
  });
  const origin = { directory, checkpoint, moments: optimizer.moments };
  return { ...artifacts, checkpoint: toCheckpoint(artifacts, checkpoint, source.checkpointPath), origin };
}

function isRows({ graph }: Model, name: string): boolean {
  const output = graph.outputs.find((info) => info.name === name);
  return output?.dtype === 'float32' && output.shape?.slice(1).every((dim) => typeof dim === 'number') === true;
}

/** @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT. */
export async function readOrtCheckpoint(path: string): Promise<OrtCheckpoint> {
  return decodeOrtCheckpoint(await read(path), `"${path}"`, await externalData(path));
}

/** CHECKPOINT.data, where there is one, and where it is a file of that folder. */
async function externalData(path: string): Promise<Uint8Array | undefined> {
  const beside = `${path}.data`;
  if (!(await exists(beside))) return undefined;
  const [real, folder] = await Promise.all([realpath(beside), realpath(dirname(path))]);
  if (dirname(real) !== folder) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `"${beside}" leads out of its folder, to "${real}"; put the file itself there.`,
    );
  }
  return read(beside);
}

async function refuseOrtFormat(directory: string): Promise<void> {
  if (!(await exists(join(directory, 'training_model.ort')))) return;
  if (await exists(join(directory, ORT_FILES.eval))) return;
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `"${directory}" holds ONNX Runtime training artifacts in ORT format, which only the library that wrote them reads: ` +
      'generate them again with ort_format=False.',
  );
}

async function decode(path: string, directory: string): Promise<DecodedModel> {
  return decodeModel(await read(path), directory, `"${path}"`);
}

/** The part of training_model.onnx that leads to the loss. */
async function forwardOf(directory: string, outputs: readonly string[]): Promise<DecodedModel> {
  const path = join(directory, ORT_FILES.training);
  const decoded = await decode(path, directory);
  const { graph } = decoded.model;
  const missing = outputs.find((name) => !graph.outputs.some((output) => output.name === name));
  if (missing !== undefined) {
    throw new VaeError('ERR_VAE_GRAPH', `"${path}" has no output "${missing}", which "${ORT_FILES.eval}" gives.`);
  }
  keepForward(graph, outputs, `"${path}"`);
  return decoded;
}

function refuseStrangers({ trainable, frozen }: OrtCheckpoint, graph: Graph, where: string): void {
  const known = new Set([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
  const stranger = [...trainable, ...frozen].find(({ name }) => !known.has(name));
  if (stranger === undefined) return;
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `"${where}" belongs to other graphs: they have no parameter "${printable(stranger.name)}".`,
  );
}

/** Parameters, which these graphs have as inputs, as initializers. */
function withParameters({ model, declared }: DecodedModel, checkpoint: OrtCheckpoint, where: string): void {
  const { graph } = model;
  for (const tensor of [...checkpoint.trainable, ...checkpoint.frozen]) {
    const input = graph.inputs.find(({ name }) => name === tensor.name);
    const declares = declared.get(tensor.name);
    const fixed = declares?.shape?.every((dim) => typeof dim === 'number') ? declares.shape : tensor.dims;
    if (declares !== undefined && (declares.dtype !== tensor.dtype || fixed.join() !== tensor.dims.join())) {
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `"${where}" belongs to other graphs: parameter "${tensor.name}" is ${tensor.dtype} [${tensor.dims.join(', ')}] there, ` +
          `and ${declares.dtype} [${declares.shape?.join(', ')}] in the graphs.`,
      );
    }
    if (input !== undefined || !graph.initializers.has(tensor.name))
      graph.initializers.set(tensor.name, constantFrom(tensor));
  }
  const given = new Set([...checkpoint.trainable, ...checkpoint.frozen].map(({ name }) => name));
  const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  for (const name of given) if (!used.has(name)) graph.initializers.delete(name);
  graph.inputs = graph.inputs.filter(({ name }) => !given.has(name));
}

function constantFrom({ dtype, dims, data }: OrtTensor): Constant {
  return { dtype, dims, data };
}

function read(path: string): Promise<Uint8Array> {
  return readFile(path).then(
    (buffer) => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength),
    (error: unknown) => {
      throw ioError(error, `reading ${path}`);
    },
  );
}

/** The first bytes of a file; none where it cannot be read. */
function headOf(path: string): Promise<Uint8Array> {
  return readHead(path, 8).catch(() => new Uint8Array(0));
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
