/** From two exported ONNX graphs to a model that can be trained further. */
import { z } from 'zod';
import { describeParameters, type VaeNetwork } from '../architectures/graphs.js';
import type { ImportedGraphs } from '../architectures/imported-graph.js';
import { importedWeight, lastSigmoid, trainableInitializers } from '../architectures/imported-graph.js';
import { dataShapeOf, type InputSpec, inputSchema } from '../architectures/input.js';
import { makeVaeNetwork, recipeSchema, recipeShape } from '../architectures/vae-network.js';
import { VaeError } from '../core/errors.js';
import { seedSchema } from '../core/seed.js';
import { type Model, readModel } from '../graph/index.js';
import type { Shape, ValueInfo } from '../graph/ir.js';
import { initialiseParameters } from './initialize.js';
import type { ModelParts } from './model-io.js';

const file = z.union([z.string().min(1), z.custom<Uint8Array>((value) => value instanceof Uint8Array)], {
  error: 'expected the path of an ONNX file, or its bytes',
});

export const importShape = {
  /** Path or bytes of the encoder: one float32 input, [N, ...data]. External data lies beside its file. */
  encoder: file,
  /** Path or bytes of the decoder: one float32 input, [N, ...latent], and one output, [N, ...data]. */
  decoder: file,
  /** Names of the encoder's outputs, where they cannot be told by themselves. */
  outputs: z.strictObject({ mean: z.string(), logVariance: z.string() }).optional(),
  /** What one example is; needed where the encoder's input leaves its sides open. */
  input: inputSchema.optional(),
  /**
   * How the decoder's output is compared with data. With `bernoulli`, a decoder that ends in Sigmoid is
   * taken before it (a change of layout may follow); another must give logits. Default `bernoulli`.
   */
  likelihood: recipeShape.likelihood,
  objective: recipeShape.objective,
  /**
   * Weights that are not trained: names such as `encoder.conv1.weight`, names with `*`, or patterns.
   * Default: none.
   */
  freeze: z.array(z.union([z.string(), z.instanceof(RegExp)])).default([]),
  /** Seed of training where fit() is given none. Default 0. */
  seed: seedSchema.default(0),
};

const importSchema = z.strictObject(importShape);
export type ImportOptions = z.output<typeof importSchema>;

/**
 * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_GRAPH or ERR_VAE_UNSUPPORTED_OPERATOR for graphs that cannot be read
 *   or are not the halves of a VAE; ERR_VAE_OPTION for a pattern that freezes nothing.
 */
export async function importOnnx(options: ImportOptions): Promise<ModelParts> {
  const graphs: ImportedGraphs = { encoder: await read(options.encoder), decoder: await read(options.decoder) };
  const latent = onlyInput(graphs.decoder, 'decoder');
  const input = options.input ?? inputOf(onlyInput(graphs.encoder, 'encoder'));
  const recipe = recipeSchema.parse({
    architecture: {
      type: 'onnx',
      posterior: options.outputs ?? findPosterior(graphs.encoder, latent),
      output: outputOf(graphs.decoder, options.likelihood.type),
      trainable: trainableOf(graphs, options.freeze),
    },
    input,
    likelihood: options.likelihood,
    objective: options.objective,
  });
  checkInput(dataShapeOf(input), graphs.encoder);
  const vae = makeVaeNetwork(recipe, graphs);
  checkDecoder(vae, graphs.decoder);
  const seed = BigInt(options.seed);
  const parameters = initialiseParameters(describeParameters(vae), seed);
  for (const spec of parameters.specs) {
    const half = /^(encoder|decoder)\.(.*)$/s.exec(spec.name);
    if (half) parameters.view(spec).set(importedWeight(graphs[half[1] as 'encoder' | 'decoder'], half[2]!));
  }
  const description = {
    ...recipe,
    latentDim: vae.network.latentShape[0]!,
    seed: String(seed),
    parameterCount: parameters.count,
  };
  return { description, vae, parameters, training: undefined };
}

async function read(source: string | Uint8Array): Promise<Model> {
  return typeof source === 'string' ? readModel(source) : readModel(source);
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

function fixed(shape: Shape): readonly number[] | undefined {
  return shape.every((dim): dim is number => typeof dim === 'number') ? shape : undefined;
}

function inputOf(input: ValueInfo): InputSpec {
  const shape = fixed(input.shape!.slice(1));
  if (typeof input.shape![0] === 'number') {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The encoder's input "${input.name}" has a fixed batch of ${input.shape![0]}; export it with a dynamic first axis.`,
    );
  }
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

const VARIANCE = /log_?var|variance/i;

type PosteriorNames = { readonly mean: string; readonly logVariance: string } | { readonly moments: string };

function findPosterior({ graph }: Model, latent: ValueInfo): PosteriorNames {
  const channels = latent.shape![1];
  const floats = graph.outputs.filter(
    ({ dtype, shape }) => dtype === 'float32' && shape?.length === latent.shape!.length,
  );
  const [first, second] = floats;
  if (first !== undefined && second !== undefined && floats.length === 2) {
    const swapped = VARIANCE.test(first.name) && !VARIANCE.test(second.name);
    return swapped ? { mean: second.name, logVariance: first.name } : { mean: first.name, logVariance: second.name };
  }
  if (first !== undefined && floats.length === 1 && typeof channels === 'number' && first.shape![1] === 2 * channels) {
    return { moments: first.name };
  }
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `The posterior cannot be told from the encoder's outputs ${describe(graph.outputs)} for latents ${describe([latent])}: ` +
      'expected mean and log-variance, or both in one with twice the channels. Name them: outputs: { mean, logVariance }.',
  );
}

/** The value that the likelihood is about: before a last Sigmoid, where the likelihood has its own. */
function outputOf(model: Model, likelihood: string): string {
  const { graph } = model;
  const [output, ...more] = graph.outputs;
  if (output === undefined || more.length > 0) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The decoder must have one output, the data; it has ${describe(graph.outputs)}.`,
    );
  }
  const sigmoid = /bernoulli/i.test(likelihood) ? lastSigmoid(model) : undefined;
  return sigmoid?.inputs[0] ?? output.name;
}

function trainableOf(
  graphs: ImportedGraphs,
  freeze: readonly (string | RegExp)[],
): Record<keyof ImportedGraphs, string[]> {
  const patterns = freeze.map((pattern) => (typeof pattern === 'string' ? wildcard(pattern) : pattern));
  const used = new Set<number>();
  const kept = (half: keyof ImportedGraphs): string[] =>
    trainableInitializers(graphs[half]).filter((name) => {
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

function checkDecoder({ network, dataShape }: VaeNetwork, { graph }: Model): void {
  const takes = graph.inputs[0]!.shape!.slice(1);
  const gives = graph.outputs[0]!.shape?.slice(1);
  if (fits(takes, network.latentShape) && (gives === undefined || fits(gives, dataShape))) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `The encoder and the decoder do not fit each other: the encoder makes latents [${network.latentShape.join(', ')}] of ` +
      `examples [${dataShape.join(', ')}], the decoder takes ${describe(graph.inputs)} and gives ${describe(graph.outputs)}.`,
  );
}

function fits(declared: Shape, shape: readonly number[]): boolean {
  return (
    declared.length === shape.length && declared.every((dim, axis) => typeof dim === 'string' || dim === shape[axis])
  );
}
