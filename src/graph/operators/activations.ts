/** Activation functions. */
import type { OperatorDefinition } from './definition.js';
import {
  broadcastOrFail,
  type Definition,
  define,
  defineAll,
  expectType,
  float,
  int,
  sameAs,
  sameType,
  string,
  tensor,
} from './helpers.js';

const activation = (attributes: Definition['attributes'] = {}, since = 13): Definition => ({
  since,
  attributes,
  infer: sameAs(0, 'float'),
});

const alongAxis: Definition = {
  attributes: { axis: int(-1) },
  infer: (context) => {
    expectType(context, 0, 'float');
    const shape = context.shape(0);
    // A scalar has no axis, and ONNX Runtime takes it nonetheless.
    if (shape !== undefined && shape.length > 0) context.axis(context.int('axis'), shape.length);
    return [context.input(0)];
  },
};

export const ACTIVATIONS: readonly OperatorDefinition[] = [
  define('Relu', { infer: sameAs(0, 'signed') }),
  define('LeakyRelu', activation({ alpha: float(0.01) })),
  define('PRelu', {
    inputs: 2,
    infer: (context) => {
      const dtype = sameType(context, [0, 1], 'number');
      const shape = context.shape(0);
      const slope = context.shape(1);
      // The slope is broadcast to the input, never the other way.
      if (shape !== undefined && slope !== undefined && slope.length > shape.length) {
        context.fail(`the slope has more dimensions (${slope.length}) than the input (${shape.length}).`);
      }
      broadcastOrFail(context, [shape, slope]);
      return [tensor(dtype, shape)];
    },
  }),
  define('Elu', activation({ alpha: float(1) })),
  define('Selu', activation({ alpha: float(1.6732631921768188), gamma: float(1.0507010221481323) })),
  define('Celu', activation({ alpha: float(1) })),
  define('Gelu', activation({ approximate: string('none') }, 20)),
  define('HardSigmoid', activation({ alpha: float(0.2), beta: float(0.5) })),
  define('HardSwish', activation({}, 14)),
  define('Swish', activation({ alpha: float(1) }, 24)),
  define('Mish', activation({}, 18)),
  define('Shrink', { attributes: { bias: float(0), lambd: float(0.5) }, infer: sameAs(0, 'number') }),
  define('ThresholdedRelu', activation({ alpha: float(1) })),
  ...defineAll(['Sigmoid', 'Softplus', 'Softsign'], activation()),
  ...defineAll(['Softmax', 'LogSoftmax', 'Hardmax'], alongAxis),
];
