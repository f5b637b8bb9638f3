import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { GraphBuilder, type Value } from '../graph/builder.js';
import { Scope } from '../nn/scope.js';
import { logVarianceOf, SPREADS, type Spread } from '../nn/spread.js';
import { defineArchitecture, type NetworkContext } from './architecture.js';
import { type ImportedGraphs, inlineGraph, opsetOf, withoutEnd } from './imported-graph.js';

const names = z.array(z.string());
const mean = z.string();

/**
 * Values of an encoder that say what the posterior is: its mean and its log-variance, variance, standard deviation or
 * the logarithm of that; or mean and log-variance in one, along the axis of channels.
 */
export const posteriorSchema = z.union([
  z.strictObject({ mean, logVariance: z.string() }),
  z.strictObject({ mean, variance: z.string() }),
  z.strictObject({ mean, std: z.string() }),
  z.strictObject({ mean, logStd: z.string() }),
  z.strictObject({ moments: z.string() }),
]);
export type PosteriorValues = z.output<typeof posteriorSchema>;

/** The value that says how wide the posterior is, and how it says so. */
export function spreadOf(posterior: Exclude<PosteriorValues, { moments: string }>): [spread: Spread, name: string] {
  const spread = SPREADS.find((key) => key in posterior)!;
  return [spread, (posterior as unknown as Readonly<Record<Spread, string>>)[spread]];
}

function valuesOf(posterior: PosteriorValues): string[] {
  return 'moments' in posterior ? [posterior.moments] : [posterior.mean, spreadOf(posterior)[1]];
}

/** Encoder and decoder as someone exported them, to be trained further. Made by Vae.fromOnnx(). */
export const onnx = defineArchitecture({
  source: 'an ONNX graph of your own',
  schema: z.strictObject({
    type: z.literal('onnx'),
    /** Values of the encoder. */
    posterior: posteriorSchema,
    /** The value of the decoder that the likelihood is about; it may come before the activation that the decoder ends in. */
    output: z.string(),
    /** Whether that value holds probabilities rather than what the likelihood makes them of. */
    values: z.literal('probabilities').optional(),
    /** Name of the decoder's output, where it has several. */
    data: z.string().optional(),
    /** Initializers that are trained. */
    trainable: z.strictObject({ encoder: names, decoder: names }),
  }),
  build: ({ posterior, output, data, trainable }, context) => {
    const graphs = graphsOf(context);
    const { encoder, decoder } = graphs;
    const wanted = valuesOf(posterior);
    const latentShape = latentShapeOf(graphs, context.dataShape, posterior);
    const result = data ?? decoder.graph.outputs[0]!.name;
    // Where it stands before the last activation, there may be a change of layout behind that.
    const heading = withoutEnd(decoder, result, output);
    const head = heading === decoder ? output : result;
    const learned = { encoder: new Set(trainable.encoder), decoder: new Set(trainable.decoder) };
    return {
      latentShape,
      encode(scope, x) {
        const [first, second] = inlineGraph(scope, encoder, x, wanted, learned.encoder);
        if ('moments' in posterior) return halves(scope, first!, latentShape[0]!);
        return [first!, logVarianceOf(scope.g, second!, spreadOf(posterior)[0])];
      },
      decode: (scope, z) => inlineGraph(scope, heading, z, [head], learned.decoder),
    };
  },
});

function graphsOf({ imported }: NetworkContext): ImportedGraphs {
  if (imported !== undefined) return imported;
  throw new VaeError(
    'ERR_VAE_OPTION',
    'The architecture "onnx" is made from files: use Vae.fromOnnx({ encoder, decoder, ... }) instead of Vae.create().',
  );
}

/** Shape of one latent: what the encoder makes of one example, found by inference. */
export function latentShapeOf(
  graphs: ImportedGraphs,
  dataShape: readonly number[],
  posterior: PosteriorValues,
): number[] {
  const wanted = valuesOf(posterior);
  const g = new GraphBuilder({ opset: opsetOf(graphs) });
  const scope = new Scope(g, (spec) => g.input(spec.name, 'float32', spec.dims));
  const x = g.input('input', 'float32', ['N', ...dataShape]);
  const [first] = inlineGraph(scope, graphs.encoder, x, wanted, new Set());
  const shape = first!.shape?.slice(1) ?? [];
  if (shape.length === 0 || !shape.every((dim): dim is number => typeof dim === 'number')) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The shape of the encoder's output "${wanted[0]}" does not follow from one example of shape [${dataShape.join(', ')}]: ` +
        `it is [${first!.shape?.join(', ') ?? '?'}]. Export the model with fixed sides.`,
    );
  }
  return wanted.length === 1 ? [shape[0]! / 2, ...shape.slice(1)] : [...shape];
}

/** Mean and log-variance from one value that holds both along its second axis. */
function halves({ g }: Scope, both: Value, channels: number): Value[] {
  return g.ops('Split', [both, g.int64s([channels, channels])], { axis: 1 }, { outputs: 2 });
}
