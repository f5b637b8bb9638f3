/** A VAE to a model directory and back. */
import { join } from 'node:path';
import type { BuildNetwork } from '../architectures/custom.js';
import {
  buildDecoder,
  buildEncoder,
  buildObjective,
  buildPrior,
  buildTraining,
  describeParameters,
  type VaeNetwork,
} from '../architectures/graphs.js';
import { NAMES, perExample, TERMS } from '../architectures/names.js';
import { ParameterStore } from '../architectures/parameters.js';
import { makeVaeNetwork } from '../architectures/vae-network.js';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { float32Of } from '../graph/constants.js';
import { type Constant, type Model, readModel, writeModel } from '../graph/index.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
import type { ModelConfig } from './config.js';
import { ARTIFACT_FILES, type Artifacts, generateArtifacts } from './generate.js';
import { readManifest } from './manifest.js';
import { type ModelDescription, readConfig, writeModelDirectory } from './model-directory.js';
import {
  DECODER_FILE,
  ENCODER_FILE,
  EXTRA_PARAMETERS_FILE,
  type ModelFile,
  PRIOR_FILE,
  readModelFile,
  TRAINING_FOLDER,
} from './model-files.js';
import type { OptimizerConfig } from './optimizer-options.js';
import { decodeSafeTensors, encodeSafeTensors, float32Elements, float32Tensor } from './safetensors.js';

/** Where a model's training stands, ready to go on. */
export interface TrainingState {
  readonly optimizer: OptimizerConfig;
  readonly clipGradientNorm: number | undefined;
  readonly accumulation?: 'mean' | 'sum' | undefined;
  readonly checkpoint: Checkpoint;
}

/** A VAE without its sessions: what is saved and loaded. */
export interface ModelParts {
  readonly description: ModelDescription;
  readonly vae: VaeNetwork;
  readonly parameters: ParameterStore;
  readonly training: TrainingState | undefined;
}

/** Validation keeps as many values of each row as there are latent dimensions, of up to so many. */
const MOST_WATCHED_DIMENSIONS = 1024;

/** Training artifacts of a VAE with its present parameters. */
export function artifactsOf(
  { vae, parameters }: Pick<ModelParts, 'vae' | 'parameters'>,
  optimizer: OptimizerConfig,
  clipGradientNorm: number | undefined,
  accumulation?: 'mean' | 'sum',
): Artifacts {
  const { model, states, stopped } = buildTraining(vae, parameters.asInitializers);
  const trainable = parameters.specs.filter((spec) => spec.trainable);
  // Whatever a model is trained for, it is judged by the bound.
  const evaluation = buildObjective(vae, parameters.asInitializers);
  return generateArtifacts({
    model,
    evaluation,
    scalars: TERMS,
    perExample: [...TERMS.map(perExample), ...dimensionOutputs(vae, evaluation)],
    trainable: trainable.map(({ name }) => name),
    noDecay: trainable.filter(({ decay }) => !decay).map(({ name }) => name),
    states,
    stopped,
    optimizer,
    ...(clipGradientNorm === undefined ? {} : { clipGradientNorm }),
    ...(accumulation === undefined ? {} : { accumulation }),
  });
}

/** Outputs of the evaluated graph with a value for each latent dimension, of models with no more than so many. */
function dimensionOutputs({ network }: VaeNetwork, { graph }: Model): string[] {
  if (elementCount(network.latentShape) > MOST_WATCHED_DIMENSIONS) return [];
  return [NAMES.klPerDimension, NAMES.posteriorMean].filter((name) =>
    graph.outputs.some((output) => output.name === name),
  );
}

interface SaveSettings {
  /** Writes the training artifacts too: of the model's own training, or such ones where it has none. */
  readonly fresh?: FreshTraining | undefined;
  /** What else lies in the directory, made of its files for inference. */
  readonly also?: ((files: readonly ModelFile[]) => readonly ModelFile[]) | undefined;
}

/**
 * @throws VaeError ERR_VAE_IO where the directory cannot be written; what was there before stays whole.
 */
export async function saveModel(
  directory: string,
  parts: ModelParts,
  { fresh, also }: SaveSettings = {},
): Promise<void> {
  const { vae, parameters, training } = parts;
  const { encoder, decoder } = inferenceGraphs(parts);
  const files: ModelFile[] = [
    { name: ENCODER_FILE, chunks: [writeModel(encoder)] },
    { name: DECODER_FILE, chunks: [writeModel(decoder)] },
  ];
  if (vae.network.priorNoise !== undefined) {
    files.push({ name: PRIOR_FILE, chunks: [writeModel(buildPrior(vae, parameters.asInitializers))] });
  }
  const held = new Set(
    [...weightsOf(encoder, 'encoder', parts), ...weightsOf(decoder, 'decoder', parts)].map(([name]) => name),
  );
  const extra = parameters.specs.filter(({ name }) => !held.has(name));
  if (extra.length > 0) {
    const tensors = new Map(extra.map((spec) => [spec.name, float32Tensor(parameters.view(spec), spec.dims)]));
    files.push({ name: EXTRA_PARAMETERS_FILE, chunks: encodeSafeTensors({ tensors, metadata: {} }) });
  }
  if (also !== undefined) files.push(...also(files));
  if (fresh !== undefined) files.push(...trainingFiles(parts, training ?? freshTraining(parts, fresh)));
  await writeModelDirectory(directory, parts.description, files);
}

/** The graphs of a model for any ONNX runtime. Imported ones keep their own form and names. */
function inferenceGraphs({ vae, parameters }: ModelParts): { encoder: Model; decoder: Model } {
  const { imported } = vae;
  if (imported === undefined) {
    return {
      encoder: buildEncoder(vae, parameters.asInitializers),
      decoder: buildDecoder(vae, parameters.asInitializers),
    };
  }
  const withWeights = (half: 'encoder' | 'decoder'): Model => {
    const { graph, ...model } = imported[half];
    const initializers = new Map(graph.initializers);
    for (const spec of parameters.specs) {
      if (spec.name.startsWith(`${half}.`))
        initializers.set(spec.name.slice(half.length + 1), parameters.constant(spec));
    }
    return { ...model, graph: { ...graph, initializers } };
  };
  return { encoder: withWeights('encoder'), decoder: withWeights('decoder') };
}

/** Weights in a graph by the names of our parameters: imported graphs have names of their own. */
function weightsOf(
  { graph }: Model,
  half: 'encoder' | 'decoder',
  { description }: Pick<ModelParts, 'description'>,
): (readonly [name: string, constant: Constant])[] {
  const prefix = description.architecture.type === 'onnx' ? `${half}.` : '';
  return [...graph.initializers].map(([name, constant]) => [prefix + name, constant] as const);
}

/** How training is to begin, for the artifacts of a model that was not trained yet. */
export interface FreshTraining {
  readonly optimizer: OptimizerConfig;
  readonly clipGradientNorm?: number | undefined;
}

/** Where the training of these parameters begins. */
function freshTraining(parts: ModelParts, { optimizer, clipGradientNorm }: FreshTraining): TrainingState {
  const { checkpoint } = artifactsOf(parts, optimizer, clipGradientNorm);
  const progress = { ...checkpoint.progress, seed: parts.description.seed };
  return { optimizer, clipGradientNorm, checkpoint: { ...checkpoint, progress } };
}

function trainingFiles(parts: ModelParts, training: TrainingState): ModelFile[] {
  const artifacts = artifactsOf(parts, training.optimizer, training.clipGradientNorm, training.accumulation);
  const file = (kind: keyof typeof ARTIFACT_FILES, chunks: readonly Uint8Array[]): ModelFile => ({
    name: `${TRAINING_FOLDER}/${ARTIFACT_FILES[kind]}`,
    chunks,
  });
  return [
    file('training', [writeModel(artifacts.trainingModel)]),
    file('eval', [writeModel(artifacts.evalModel)]),
    file('optimizer', [writeModel(artifacts.optimizerModel)]),
    file('checkpoint', encodeCheckpoint(training.checkpoint)),
  ];
}

/**
 * @param build the function of a custom architecture.
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT where the directory is not a whole model.
 */
export async function loadModel(directory: string, build?: BuildNetwork): Promise<ModelParts> {
  const config = await readConfig(directory);
  return readParts(directory, config, (name) => readModelFile(directory, config, name), build);
}

/** As loadModel(), of a config and files that were read before. */
export async function readParts(
  directory: string,
  config: ModelConfig,
  read: (name: string) => Uint8Array | Promise<Uint8Array>,
  build?: BuildNetwork,
): Promise<ModelParts> {
  const { format: _format, version: _version, files, ...saved } = config;
  const { architecture } = saved;
  const description = {
    ...saved,
    architecture: architecture.type === 'custom' && build !== undefined ? { ...architecture, build } : architecture,
  };
  const encoder = readModel(await read(ENCODER_FILE));
  const decoder = readModel(await read(DECODER_FILE));
  const imported = description.architecture.type === 'onnx' ? { encoder, decoder } : undefined;
  const vae = makeVaeNetwork(description, imported);
  const constants = new Map([
    ...weightsOf(encoder, 'encoder', { description }),
    ...weightsOf(decoder, 'decoder', { description }),
  ]);
  const values = new Map<string, Float32Array>();
  if (files[EXTRA_PARAMETERS_FILE] !== undefined) {
    const where = join(directory, EXTRA_PARAMETERS_FILE);
    const { tensors } = decodeSafeTensors(await read(EXTRA_PARAMETERS_FILE), where);
    for (const [key, tensor] of tensors) values.set(key, float32Elements(tensor, where));
  }
  const parameters = new ParameterStore(describeParameters(vae));
  for (const spec of parameters.specs) {
    const constant = constants.get(spec.name);
    const found = constant === undefined ? values.get(spec.name) : float32Of(constant);
    const view = parameters.view(spec);
    if (found === undefined || found.length !== view.length) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${directory}: the graphs do not hold parameter "${spec.name}" of shape [${spec.dims.join(', ')}] that config.json implies.`,
      );
    }
    view.set(found);
  }
  const training = await loadTraining(directory, config, read);
  return { description, vae, parameters, training };
}

async function loadTraining(
  directory: string,
  config: ModelConfig,
  read: (name: string) => Uint8Array | Promise<Uint8Array>,
): Promise<TrainingState | undefined> {
  const graph = `${TRAINING_FOLDER}/${ARTIFACT_FILES.training}`;
  if (config.files[graph] === undefined) return undefined;
  const model: Model = readModel(await read(graph));
  const manifest = readManifest(model, join(directory, graph));
  const name = `${TRAINING_FOLDER}/${ARTIFACT_FILES.checkpoint}`;
  const checkpoint = decodeCheckpoint(await read(name), manifest, join(directory, name));
  const { optimizer, clipGradientNorm, accumulation } = manifest;
  return { optimizer, clipGradientNorm, accumulation, checkpoint };
}
