/** Losses that ONNX has as operators. */
import type { InferenceContext, OperatorDefinition } from './definition.js';
import { define, expectType, string, tensor } from './helpers.js';

function loss(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  const dtype = expectType(context, 0, 'float');
  expectType(context, 1, 'index');
  const whole = context.string('reduction') === 'none' ? context.shape(1) : [];
  return [tensor(dtype, whole), tensor(dtype, context.shape(0))];
}

const LOSS_ATTRIBUTES = { ignore_index: 'int', reduction: string('mean') } as const;

export const LOSSES: readonly OperatorDefinition[] = [
  define('SoftmaxCrossEntropyLoss', { inputs: [2, 3], outputs: [1, 2], attributes: LOSS_ATTRIBUTES, infer: loss }),
  define('NegativeLogLikelihoodLoss', { inputs: [2, 3], attributes: LOSS_ATTRIBUTES, infer: loss }),
];
