import { z } from 'zod';
import { elementCount } from '../core/dtype.js';
import type { Value } from '../graph/builder.js';
import { ACTIVATION_NAMES, activate } from '../nn/activations.js';
import { embedCodes, embeddedCodeSchema, embeddedWidth, refuseCodes } from '../nn/embedding.js';
import { linear } from '../nn/layers.js';
import { flattenRows } from '../nn/reduce.js';
import type { Scope } from '../nn/scope.js';
import { defineArchitecture, headShape } from './architecture.js';

/** Fully connected encoder and decoder, the decoder mirroring the encoder. */
export const mlp = defineArchitecture({
  source: 'Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014, appendix C',
  schema: z.strictObject({
    type: z.literal('mlp'),
    /** Widths of the encoder's hidden layers; the decoder has them in reverse. */
    hidden: z.array(z.int().positive()).min(1).default([400]),
    activation: z.enum(ACTIVATION_NAMES).default('relu'),
    /** One-hot codes within a row that the encoder turns into learned vectors first: of categories with many values. */
    embed: z.array(embeddedCodeSchema).max(4096).optional(),
  }),
  refuse: ({ embed = [] }, { dataShape }) => refuseCodes(embed, elementCount(dataShape)),
  build: ({ hidden, activation, embed = [] }, { dataShape, latentDim, heads, conditionDim }) => {
    const dataSize = elementCount(dataShape);

    const stack = (scope: Scope, x: Value, inputs: number, widths: readonly number[]): Value =>
      widths.reduce((value, width, index) => {
        const from = index === 0 ? inputs : widths[index - 1]!;
        return activate(scope.g, linear(scope.at('hidden').at(index), value, from, width), activation);
      }, x);
    const withCondition = ({ g }: Scope, x: Value, condition: Value | undefined): Value =>
      condition === undefined ? x : g.op('Concat', [x, condition], { axis: 1 });

    return {
      latentShape: [latentDim],
      encode(scope, x, names, condition) {
        const embedded = embedCodes(scope, flattenRows(scope.g, x), embed, dataSize);
        const flat = withCondition(scope, embedded, condition);
        const top = stack(scope, flat, embeddedWidth(embed, dataSize) + conditionDim, hidden);
        const width = hidden[hidden.length - 1]!;
        return names.map((name) => linear(scope.at(name), top, width, latentDim));
      },
      decode(scope, z, condition) {
        const widths = [...hidden].reverse();
        const top = stack(scope, withCondition(scope, z, condition), latentDim + conditionDim, widths);
        const width = widths[widths.length - 1]!;
        return heads.map((head) => {
          const flat = linear(scope.at(head.name), top, width, dataSize * head.perValue);
          const shape = headShape(head, dataShape);
          return shape.length === 1 ? flat : scope.g.op('Reshape', [flat, scope.g.int64s([-1, ...shape])]);
        });
      },
    };
  },
});
