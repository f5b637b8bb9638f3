import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { GraphBuilder, type Value } from '../graph/builder.js';
import type { Model } from '../graph/ir.js';
import { Scope } from '../nn/scope.js';
import { defineArchitecture, type NetworkContext } from './architecture.js';
import { type ImportedGraphs, inlineGraph, withoutLastSigmoid } from './imported-graph.js';

const names = z.array(z.string());

/** Encoder and decoder as someone exported them, to be trained further. Made by Vae.fromOnnx(). */
export const onnx = defineArchitecture({
  source: 'an ONNX graph of your own',
  schema: z.strictObject({
    type: z.literal('onnx'),
    /** Outputs of the encoder: mean and log-variance, or both in one along the axis of channels. */
    posterior: z.union([
      z.strictObject({ mean: z.string(), logVariance: z.string() }),
      z.strictObject({ moments: z.string() }),
    ]),
    /** Output of the decoder, or what goes into the Sigmoid that it ends in. */
    output: z.string(),
    /** Initializers that are trained. */
    trainable: z.strictObject({ encoder: names, decoder: names }),
  }),
  build: ({ posterior, output, trainable }, context) => {
    const { encoder, decoder } = graphsOf(context);
    const wanted = 'moments' in posterior ? [posterior.moments] : [posterior.mean, posterior.logVariance];
    const latentShape = latentShapeOf(encoder, context.dataShape, wanted);
    const data = decoder.graph.outputs[0]!.name;
    const heading = output === data ? decoder : withoutLastSigmoid(decoder);
    const learned = { encoder: new Set(trainable.encoder), decoder: new Set(trainable.decoder) };
    return {
      latentShape,
      encode(scope, x) {
        const [first, second] = inlineGraph(scope, encoder, x, wanted, learned.encoder);
        return second === undefined ? halves(scope, first!, latentShape[0]!) : [first!, second];
      },
      decode: (scope, z) => inlineGraph(scope, heading, z, [data], learned.decoder),
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
function latentShapeOf(encoder: Model, dataShape: readonly number[], wanted: readonly string[]): number[] {
  const g = new GraphBuilder();
  const scope = new Scope(g, (spec) => g.input(spec.name, 'float32', spec.dims));
  const x = g.input('input', 'float32', ['N', ...dataShape]);
  const [first] = inlineGraph(scope, encoder, x, wanted, new Set());
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
