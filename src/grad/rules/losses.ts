/** Loss operators, rewritten in the softmax and indexing that they are made of. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type Expanded, expansion, type GradientTable } from '../registry.js';

/** -w[t]·p[t] at each place, summed or averaged; `ignore_index` counts for nothing. */
function negativeLogLikelihood(context: GradientContext, logProbabilities: Value): Value {
  const { builder } = context;
  const [scores, labels, weights] = [context.input(0), context.input(1), context.inputs[2]];
  const ignored = context.node.attributes['ignore_index'];
  const dtype = scores.dtype;
  const integer = (value: number) => builder.constant([value], labels.dtype, []);
  let kept: Value | undefined;
  let safe = labels;
  if (ignored?.kind === 'int') {
    kept = context.op('Not', [context.op('Equal', [labels, integer(ignored.value)])]);
    safe = context.op('Where', [kept, labels, integer(0)]);
  }
  const column = context.op('Unsqueeze', [safe, builder.int64s([1])]);
  const picked = context.op('Squeeze', [
    context.op('GatherElements', [logProbabilities, column], { axis: 1 }),
    builder.int64s([1]),
  ]);
  let weight = weights && context.op('Gather', [weights, safe], { axis: 0 });
  if (kept) weight = weight ? context.keepWhere(kept, weight) : context.cast(kept, dtype);
  const loss = context.neg(weight ? context.mul(picked, weight) : picked);
  const total = (value: Value) => context.op('ReduceSum', [value], { keepdims: 0 });
  switch (context.string('reduction', 'mean')) {
    case 'none':
      return loss;
    case 'sum':
      return total(loss);
    default:
      return weight
        ? context.op('Div', [total(loss), total(weight)])
        : context.op('ReduceMean', [loss], { keepdims: 0 });
  }
}

function softmaxCrossEntropy(context: GradientContext): Expanded {
  const logProbabilities = context.op('LogSoftmax', [context.input(0)], { axis: 1 });
  return { outputs: [negativeLogLikelihood(context, logProbabilities), logProbabilities] };
}

export const LOSSES: GradientTable = {
  NegativeLogLikelihoodLoss: expansion((context) => ({
    outputs: [negativeLogLikelihood(context, context.input(0))],
  })),
  SoftmaxCrossEntropyLoss: expansion(softmaxCrossEntropy),
};
