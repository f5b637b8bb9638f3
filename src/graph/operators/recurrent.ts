/** Recurrent layers. */
import type { Dim } from '../ir.js';
import type { Attribute, AttributeKind, InferenceContext, OperatorDefinition } from './definition.js';
import { define, expectRank, expectType, int, string, tensor } from './helpers.js';

const COMMON: Readonly<Record<string, AttributeKind | Attribute>> = {
  activation_alpha: 'floats',
  activation_beta: 'floats',
  activations: 'strings',
  clip: 'float',
  direction: string('forward'),
  hidden_size: 'int',
};

function recurrent(context: InferenceContext, states: number): ReturnType<OperatorDefinition['infer']> {
  const dtype = expectType(context, 0, 'float');
  const input = expectRank(context, 0, 3);
  const directions = context.string('direction') === 'bidirectional' ? 2 : 1;
  const hidden: Dim =
    context.attribute('hidden_size') === undefined
      ? (context.shape(2)?.[2] ?? context.freshDim())
      : context.int('hidden_size');
  const batchFirst = context.attribute('layout') !== undefined && context.int('layout') !== 0;
  const first = input?.[0] ?? context.freshDim();
  const second = input?.[1] ?? context.freshDim();
  const state = batchFirst ? [first, directions, hidden] : [directions, second, hidden];
  const sequence = batchFirst ? [first, second, directions, hidden] : [first, directions, second, hidden];
  return [tensor(dtype, sequence), ...Array.from({ length: states }, () => tensor(dtype, state))];
}

const FORMS = [
  { name: 'RNN', inputs: 6, states: 1, extra: { activations: { kind: 'strings', value: ['Tanh', 'Tanh'] } } },
  { name: 'GRU', inputs: 6, states: 1, extra: { linear_before_reset: int(0) } },
  { name: 'LSTM', inputs: 8, states: 2, extra: { input_forget: int(0) } },
] as const;

export const RECURRENT: readonly OperatorDefinition[] = FORMS.flatMap(({ name, inputs, states, extra }) =>
  [13, 14].map((since) =>
    define(name, {
      since,
      inputs: [3, inputs],
      outputs: [1, states + 1],
      attributes: { ...COMMON, ...extra, ...(since >= 14 ? { layout: int(0) } : {}) },
      infer: (context) => recurrent(context, states),
    }),
  ),
);
