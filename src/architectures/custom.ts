import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import type { Value } from '../graph/builder.js';
import { describeShape } from '../graph/infer/broadcast.js';
import { defineArchitecture, headShape, type Network, type NetworkContext } from './architecture.js';

/** Makes the two networks, out of layers and whatever else a graph can hold. */
export type BuildNetwork = (context: NetworkContext) => Network;

export const buildNetworkSchema = z.custom<BuildNetwork>(
  (value) => typeof value === 'function',
  'expected a function (context) => ({ latentShape, encode, decode })',
);

/**
 * A function of the user's program. It is not saved with the model: Vae.load(directory, { build }) takes
 * it again. encoder.onnx and decoder.onnx run anywhere without it.
 */
export const custom = defineArchitecture({
  source: 'a function of your own',
  schema: z.strictObject({
    type: z.literal('custom'),
    build: buildNetworkSchema.optional(),
  }),
  build: ({ build }, context) => {
    if (build === undefined) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        'The architecture "custom" is a function of your program: give it as { type: "custom", build } to Vae.create(), ' +
          'and as { build } to Vae.load().',
      );
    }
    const network = build(context);
    checkNetwork(network);
    const { latentShape } = network;
    const { dataShape, heads } = context;
    return {
      latentShape,
      encode: (scope, x, names, condition) => {
        const made = network.encode(scope, x, names, condition);
        checkValues('encode', made, names, () => latentShape);
        return made;
      },
      decode: (scope, z, condition) => {
        const made = network.decode(scope, z, condition);
        checkValues(
          'decode',
          made,
          heads.map(({ name }) => name),
          (index) => headShape(heads[index]!, dataShape),
        );
        return made;
      },
    };
  },
});

function checkNetwork(network: Network): void {
  const { latentShape, encode, decode } = network ?? {};
  const shaped =
    Array.isArray(latentShape) && latentShape.length > 0 && latentShape.every((dim) => Number.isInteger(dim));
  if (shaped && typeof encode === 'function' && typeof decode === 'function') return;
  throw new VaeError(
    'ERR_VAE_OPTION',
    'The function of a custom architecture must return { latentShape, encode, decode }: a list of whole numbers and two functions.',
  );
}

function checkValues(
  what: string,
  values: readonly Value[],
  names: readonly string[],
  shapeOf: (index: number) => readonly number[],
): void {
  const count = Array.isArray(values) ? values.length : typeof values;
  if (count !== names.length) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${what}() of a custom architecture must return one value for each of ${names.join(', ')}; it returned ${count}.`,
    );
  }
  values.forEach(({ shape }, index) => {
    const expected = shapeOf(index);
    const found = shape?.slice(1);
    const fits = found?.length === expected.length && found.every((dim, axis) => dim === expected[axis]);
    if (!fits) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${what}() of a custom architecture must give [N, ${expected.join(', ')}] for "${names[index]}" and gave ${describeShape(shape)}.`,
      );
    }
  });
}
