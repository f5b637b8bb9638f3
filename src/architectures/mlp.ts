import { z } from 'zod';
import { elementCount } from '../core/dtype.js';
import type { Value } from '../graph/builder.js';
import { ACTIVATION_NAMES, activate } from '../nn/activations.js';
import { linear } from '../nn/layers.js';
import type { Scope } from '../nn/scope.js';
import { defineArchitecture } from './architecture.js';

/** Fully connected encoder and decoder, the decoder mirroring the encoder. */
export const mlp = defineArchitecture({
  source: 'Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014, appendix C',
  schema: z.strictObject({
    type: z.literal('mlp'),
    /** Widths of the encoder's hidden layers; the decoder has them in reverse. */
    hidden: z.array(z.int().positive()).min(1).default([400]),
    activation: z.enum(ACTIVATION_NAMES).default('relu'),
  }),
  build: ({ hidden, activation }, { dataShape, latentDim, heads }) => {
    const dataSize = elementCount(dataShape);

    const stack = (scope: Scope, x: Value, inputs: number, widths: readonly number[]): Value =>
      widths.reduce((value, width, index) => {
        const from = index === 0 ? inputs : widths[index - 1]!;
        return activate(scope.g, linear(scope.at('hidden').at(index), value, from, width), activation);
      }, x);

    return {
      latentShape: [latentDim],
      encode(scope, x) {
        const flat = dataShape.length === 1 ? x : scope.g.op('Flatten', [x], { axis: 1 });
        const top = stack(scope, flat, dataSize, hidden);
        const width = hidden[hidden.length - 1]!;
        return {
          mean: linear(scope.at('mean'), top, width, latentDim),
          logVariance: linear(scope.at('log_variance'), top, width, latentDim),
        };
      },
      decode(scope, z) {
        const widths = [...hidden].reverse();
        const top = stack(scope, z, latentDim, widths);
        const width = widths[widths.length - 1]!;
        return heads.map(({ name, perValue }) => {
          const flat = linear(scope.at(name), top, width, dataSize * perValue);
          const shape = perValue === 1 ? dataShape : [perValue, ...dataShape];
          return shape.length === 1 ? flat : scope.g.op('Reshape', [flat, scope.g.int64s([-1, ...shape])]);
        });
      },
    };
  },
});
