/**
 * The training artifacts of any graph with a scalar loss, by the names ONNX Runtime gave its own:
 * training_model.onnx, eval_model.onnx, optimizer_model.onnx, checkpoint.safetensors.
 */
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';
import { writeFilesAtomically } from '../core/files.js';
import { differentiate } from '../grad/index.js';
import { GraphBuilder } from '../graph/builder.js';
import { readConstant } from '../graph/constants.js';
import { type Constant, type Model, writeModel } from '../graph/index.js';
import { removeDeadNodes } from '../graph/passes/dead-nodes.js';
import { type Checkpoint, encodeCheckpoint, freshCheckpoint } from './checkpoint.js';
import { type ArtifactsManifest, writeManifest } from './manifest.js';
import { writeKernelMarks } from './native-kernels.js';
import { buildOptimizer } from './optimizer-graph.js';
import type { OptimizerConfig } from './optimizer-options.js';
import { orderForRelease } from './release-order.js';

export const ARTIFACT_FILES = {
  training: 'training_model.onnx',
  eval: 'eval_model.onnx',
  optimizer: 'optimizer_model.onnx',
  checkpoint: 'checkpoint.safetensors',
} as const;

export interface GenerateOptions {
  /** A forward graph: data as inputs, parameters as float32 initializers, a scalar output `loss`. */
  readonly model: Model;
  /** Output to minimise: float32, one element. Default `loss`. */
  readonly loss?: string;
  /** Further scalar outputs reported at each step. */
  readonly scalars?: readonly string[];
  /** Outputs of the eval graph with one value per example, [N]. */
  readonly perExample?: readonly string[];
  /**
   * Initializers to train, in the order of the flat parameter buffer. Default: every float32 one of rank 1 or more that
   * is no literal of the formula.
   */
  readonly trainable?: readonly string[];
  /** Parameters that weight decay leaves alone. Default: those of rank 1 (biases and norms). */
  readonly noDecay?: readonly string[];
  /** States carried by the graph: initializer to the output with its next value. */
  readonly states?: Readonly<Record<string, string>>;
  /** Values of the graph that count as constants: no gradient flows back through them. */
  readonly stopped?: readonly string[];
  /**
   * The graph that is evaluated, with the same initializers and the outputs `loss`, `scalars` and
   * `perExample`. Default: the model itself.
   */
  readonly evaluation?: Model;
  readonly optimizer: OptimizerConfig;
  readonly clipGradientNorm?: number;
  /**
   * What the gradients of several batches make before a step: their `mean`, or, as with ONNX Runtime's training API,
   * their `sum`. Default `mean`.
   */
  readonly accumulation?: 'mean' | 'sum';
}

/** Artifacts in memory; `writeArtifacts` makes a directory of them. */
export interface Artifacts {
  readonly trainingModel: Model;
  readonly evalModel: Model;
  readonly optimizerModel: Model;
  readonly manifest: ArtifactsManifest;
  readonly checkpoint: Checkpoint;
  /** Trainable parameters that the loss does not depend on: their gradient is zero. */
  readonly unused: readonly string[];
}

/**
 * Differentiates a forward graph and makes its training artifacts.
 *
 * @throws VaeError ERR_VAE_GRAPH where the loss or a parameter is missing or not float32,
 *   ERR_VAE_UNSUPPORTED_OPERATOR where an operator on the way has no gradient rule.
 */
export function generateArtifacts(options: GenerateOptions): Artifacts {
  const { model, evaluation = model, loss = 'loss', scalars = [], perExample = [], states = {} } = options;
  const names = options.trainable ?? defaultTrainable(model, states);
  const values = names.map((name) => parameterOf(model, name));
  const reported = [loss, ...scalars.filter((name) => name !== loss)];

  const { model: evalModel } = withParametersAsInputs(evaluation, names, states);
  keepOutputs(evalModel, [...reported, ...perExample]);

  const { builder } = withParametersAsInputs(model, names, states);
  const { gradients, unused, kernels } = differentiate(builder, {
    loss,
    parameters: names,
    stopped: options.stopped ?? [],
  });
  const trainingModel = builder.model;
  const kept = [...reported, ...Object.values(states)];
  builder.graph.outputs = kept.map((name) => builder.value(name));
  for (const name of names) builder.output(`${name}_grad`, gradients.get(name)!);
  removeDeadNodes(trainingModel);
  orderForRelease(trainingModel.graph);
  writeKernelMarks(trainingModel, kernels);

  const noDecay = new Set(options.noDecay ?? names.filter((_, index) => values[index]!.dims.length <= 1));
  const described = names.map((name, index) => ({ name, dims: values[index]!.dims, decay: !noDecay.has(name) }));
  const optimizerModel = buildOptimizer(described, {
    optimizer: options.optimizer,
    ...(options.clipGradientNorm === undefined ? {} : { clipGradientNorm: options.clipGradientNorm }),
  });
  const manifest: ArtifactsManifest = {
    version: 1,
    loss,
    scalars: reported,
    perExample: [...perExample],
    parameters: described.map(({ name, dims, decay }) => ({ name, dims: [...dims], gradient: `${name}_grad`, decay })),
    states: Object.entries(states).map(([name, output]) => ({
      name,
      dims: [...parameterOf(model, name).dims],
      output,
    })),
    inputs: model.graph.inputs.map(({ name }) => name),
    optimizer: options.optimizer,
    ...(options.clipGradientNorm === undefined ? {} : { clipGradientNorm: options.clipGradientNorm }),
    ...(options.accumulation === undefined ? {} : { accumulation: options.accumulation }),
  };
  for (const each of [trainingModel, evalModel, optimizerModel]) writeManifest(each, manifest);
  const checkpoint = freshCheckpoint(
    manifest,
    (name) => new Float32Array(readConstant(parameterOf(model, name)) as Float32Array),
  );
  return { trainingModel, evalModel, optimizerModel, manifest, checkpoint, unused };
}

/** Writes an artifact directory; files of the same names are replaced only once all are complete. */
export async function writeArtifacts(directory: string, artifacts: Artifacts): Promise<void> {
  await writeFilesAtomically([
    { path: join(directory, ARTIFACT_FILES.training), chunks: [writeModel(artifacts.trainingModel)] },
    { path: join(directory, ARTIFACT_FILES.eval), chunks: [writeModel(artifacts.evalModel)] },
    { path: join(directory, ARTIFACT_FILES.optimizer), chunks: [writeModel(artifacts.optimizerModel)] },
    { path: join(directory, ARTIFACT_FILES.checkpoint), chunks: encodeCheckpoint(artifacts.checkpoint) },
  ]);
}

/** A copy of the graph in which the named initializers are inputs. */
function withParametersAsInputs(
  model: Model,
  names: readonly string[],
  states: Readonly<Record<string, string>>,
): { builder: GraphBuilder; model: Model } {
  const promoted = new Set([...names, ...Object.keys(states)]);
  const initializers = new Map([...model.graph.initializers].filter(([name]) => !promoted.has(name)));
  // A graph for evaluation need not hold all that the training graph does.
  const held = [...promoted].filter((name) => model.graph.initializers.has(name));
  const inputs = [
    ...model.graph.inputs,
    ...held.map((name) => ({ name, dtype: 'float32' as const, shape: parameterOf(model, name).dims })),
  ];
  const builder = GraphBuilder.from({
    ...model,
    metadata: new Map(model.metadata),
    graph: { ...model.graph, inputs, initializers },
  });
  return { builder, model: builder.model };
}

function keepOutputs(model: Model, names: readonly string[]): void {
  model.graph.outputs = names.map((name) => {
    const output = model.graph.outputs.find((info) => info.name === name);
    if (output === undefined) {
      throw new VaeError('ERR_VAE_GRAPH', `The graph "${model.graph.name}" has no output named "${name}".`);
    }
    return output;
  });
  removeDeadNodes(model);
}

function parameterOf(model: Model, name: string): Constant {
  const constant = model.graph.initializers.get(name);
  if (constant === undefined) {
    throw new VaeError('ERR_VAE_GRAPH', `The graph "${model.graph.name}" has no initializer named "${name}".`);
  }
  if (constant.dtype !== 'float32') {
    throw new VaeError('ERR_VAE_GRAPH', `Parameter "${name}" is ${constant.dtype}; only float32 can be trained.`);
  }
  return constant;
}

/** Float32 initializers that are arrays: scalars and literals are constants of the formula, not weights. */
function defaultTrainable(model: Model, states: Readonly<Record<string, string>>): string[] {
  return [...model.graph.initializers]
    .filter(([name, { dtype, dims, literal }]) => {
      return dtype === 'float32' && dims.length > 0 && literal !== true && !(name in states);
    })
    .map(([name]) => name);
}
