/** Operators that treat every element alike: arithmetic, functions of one variable, comparison, logic. */
import { BYTES_PER_ELEMENT } from '../../core/dtype.js';
import { addDims, divideExactly, floorDivide, multiplyDims, subtractDims } from '../infer/dims.js';
import type { Dim } from '../ir.js';
import { alignedElements, asType, at, mapElements, numeric, zipElements, zipLists } from './arithmetic.js';
import type { InferenceContext, KnownElements, OperatorDefinition } from './definition.js';
import {
  allInputs,
  broadcastInputs,
  type Category,
  type Definition,
  define,
  defineAll,
  expectType,
  int,
  sameAs,
  sameType,
  string,
  tensor,
} from './helpers.js';

const unary = (category: Category, propagate?: Definition['propagate']): Definition => ({
  infer: sameAs(0, category),
  ...(propagate === undefined ? {} : { propagate }),
});

const binary = (category: Category, propagate?: Definition['propagate']): Definition => ({
  inputs: 2,
  infer: (context) => [tensor(sameType(context, [0, 1], category), broadcastInputs(context, [0, 1]))],
  ...(propagate === undefined ? {} : { propagate }),
});

const variadic = (category: Category, propagate?: Definition['propagate']): Definition => ({
  inputs: [1, Number.POSITIVE_INFINITY],
  infer: (context) => [
    tensor(sameType(context, allInputs(context), category), broadcastInputs(context, allInputs(context))),
  ],
  ...(propagate === undefined ? {} : { propagate }),
});

const comparison = (category: Category, propagate?: Definition['propagate']): Definition => ({
  inputs: 2,
  infer: (context) => {
    sameType(context, [0, 1], category);
    return [tensor('bool', broadcastInputs(context, [0, 1]))];
  },
  ...(propagate === undefined ? {} : { propagate }),
});

const floatTest: Definition['infer'] = (context) => {
  expectType(context, 0, 'float');
  return [tensor('bool', context.shape(0))];
};

const isInteger = (context: InferenceContext) => !context.input(0).dtype.startsWith('float');

function arithmetic(
  onNumbers: (left: number, right: number, integer: boolean) => number | undefined,
  onSymbols?: (left: Dim, right: Dim, integer: boolean) => Dim | undefined,
): Definition['propagate'] {
  return (context) => {
    const integer = isInteger(context);
    return zipElements(
      context,
      numeric(
        context.input(0).dtype,
        (left, right) => onNumbers(left, right, integer),
        onSymbols && ((left, right) => onSymbols(left, right, integer)),
      ),
    );
  };
}

function compare(
  onNumbers: (left: number, right: number) => boolean,
  onSymbols: (left: Dim, right: Dim) => boolean | undefined = () => undefined,
): Definition['propagate'] {
  return (context) =>
    zipElements(
      context,
      numeric(
        'bool',
        (left, right) => Number(onNumbers(left, right)),
        (left, right) => {
          const known = onSymbols(left, right);
          return known === undefined ? undefined : Number(known);
        },
      ),
    );
}

/** Equal symbols are equal; a plain symbol is a length and so never negative. */
function symbolsEqual(left: Dim, right: Dim): boolean | undefined {
  if (left === right) return true;
  const isName = (dim: Dim) => typeof dim === 'string' && /^[A-Za-z_]\w*$/.test(dim);
  const isNegative = (dim: Dim) => typeof dim === 'number' && dim < 0;
  if ((isName(left) && isNegative(right)) || (isName(right) && isNegative(left))) return false;
  return undefined;
}

function extreme(choose: (left: number, right: number) => number): Definition['propagate'] {
  return (context) => {
    const pick = numeric(context.input(0).dtype, choose, (left, right) => (left === right ? left : undefined));
    return alignedElements(context, allInputs(context))?.reduce((left, right) => zipLists(left, right, pick));
  };
}

/** Rounds half to even, as Round does. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return rounded === 0 && value < 0 ? -0 : rounded;
}

export const ELEMENTWISE: readonly OperatorDefinition[] = [
  define(
    'Add',
    binary(
      'number',
      arithmetic((a, b) => a + b, addDims),
    ),
  ),
  define(
    'Sub',
    binary(
      'number',
      arithmetic((a, b) => a - b, subtractDims),
    ),
  ),
  define(
    'Mul',
    binary(
      'number',
      arithmetic((a, b) => a * b, multiplyDims),
    ),
  ),
  define(
    'Div',
    binary(
      'number',
      arithmetic(
        (a, b, integer) => (integer ? (b === 0 ? undefined : Math.trunc(a / b)) : a / b),
        (a, b, integer) => (integer ? floorDivide(a, b) : divideExactly(a, b)),
      ),
    ),
  ),
  define('Mod', {
    ...binary('number', (context) =>
      zipElements(
        context,
        numeric(context.input(0).dtype, (a, b) => {
          if (b === 0) return undefined;
          return context.int('fmod') === 1 ? a % b : a - b * Math.floor(a / b);
        }),
      ),
    ),
    attributes: { fmod: int(0) },
  }),
  define('Pow', {
    inputs: 2,
    infer: (context) => {
      const dtype = expectType(context, 0, 'number');
      expectType(context, 1, 'number');
      return [tensor(dtype, broadcastInputs(context, [0, 1]))];
    },
    propagate: (context) =>
      // Only whole powers of whole numbers are exact.
      zipElements(
        context,
        numeric(context.input(0).dtype, (a, b) => {
          const power = a ** b;
          return Number.isInteger(a) && Number.isInteger(b) && Math.abs(power) < 2 ** 24 ? power : undefined;
        }),
      ),
  }),
  define('Sum', variadic('float')),
  define('Mean', variadic('float')),
  define('Max', variadic('number', extreme(Math.max))),
  define('Min', variadic('number', extreme(Math.min))),
  define('BitShift', { ...binary('integer'), attributes: { direction: 'string' } }),
  ...defineAll(['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'], { ...binary('integer'), since: 18 }),
  define('BitwiseNot', { ...unary('integer'), since: 18 }),

  define(
    'Abs',
    unary('number', (context) => mapElements(context, Math.abs)),
  ),
  define(
    'Neg',
    unary('signed', (context) =>
      mapElements(
        context,
        (x) => -x,
        (x) => multiplyDims(x, -1),
      ),
    ),
  ),
  define(
    'Sign',
    unary('number', (context) => mapElements(context, Math.sign)),
  ),
  define(
    'Floor',
    unary('float', (context) => mapElements(context, Math.floor, (x) => x)),
  ),
  define(
    'Ceil',
    unary('float', (context) => mapElements(context, Math.ceil, (x) => x)),
  ),
  define(
    'Round',
    unary('float', (context) => mapElements(context, roundHalfToEven, (x) => x)),
  ),
  define(
    'Sqrt',
    unary('float', (context) => mapElements(context, Math.sqrt)),
  ),
  define(
    'Reciprocal',
    unary('float', (context) => mapElements(context, (x) => 1 / x)),
  ),
  ...defineAll(
    [
      'Exp',
      'Log',
      'Erf',
      'Sin',
      'Cos',
      'Tan',
      'Sinh',
      'Cosh',
      'Tanh',
      'Asin',
      'Acos',
      'Atan',
      'Asinh',
      'Acosh',
      'Atanh',
    ],
    unary('float'),
  ),

  define(
    'Equal',
    comparison(
      'any',
      compare((a, b) => a === b, symbolsEqual),
    ),
  ),
  define(
    'Greater',
    comparison(
      'number',
      compare((a, b) => a > b),
    ),
  ),
  define(
    'GreaterOrEqual',
    comparison(
      'number',
      compare((a, b) => a >= b),
    ),
  ),
  define(
    'Less',
    comparison(
      'number',
      compare((a, b) => a < b),
    ),
  ),
  define(
    'LessOrEqual',
    comparison(
      'number',
      compare((a, b) => a <= b),
    ),
  ),
  define(
    'And',
    comparison(
      'bool',
      compare((a, b) => a !== 0 && b !== 0),
    ),
  ),
  define(
    'Or',
    comparison(
      'bool',
      compare((a, b) => a !== 0 || b !== 0),
    ),
  ),
  define(
    'Xor',
    comparison(
      'bool',
      compare((a, b) => a !== b),
    ),
  ),
  define(
    'Not',
    unary('bool', (context) => mapElements(context, (x) => (x === 0 ? 1 : 0))),
  ),
  define('IsNaN', { infer: floatTest }),
  define('IsInf', {
    attributes: { detect_negative: int(1), detect_positive: int(1) },
    infer: floatTest,
  }),

  define('Where', {
    inputs: 3,
    infer: (context) => {
      expectType(context, 0, 'bool');
      return [tensor(sameType(context, [1, 2]), broadcastInputs(context, [0, 1, 2]))];
    },
    propagate: (context) => {
      const lists = alignedElements(context, [0, 1, 2]);
      if (lists === undefined) return undefined;
      const [condition, yes, no] = lists as [KnownElements, KnownElements, KnownElements];
      const length = lists.find((list) => list.length !== 1)?.length ?? 1;
      return Array.from({ length }, (_, index) => {
        const chosen = at(condition, index);
        const left = at(yes, index);
        const right = at(no, index);
        if (chosen === undefined) return left === right ? left : undefined;
        return chosen === 0 ? right : left;
      });
    },
  }),
  define('Clip', {
    inputs: [1, 3],
    infer: (context) => {
      sameType(context, [0, 1, 2], 'number');
      return [context.input(0)];
    },
    propagate: (context) => {
      const low = context.given(1) ? context.numbers(1)?.[0] : Number.NEGATIVE_INFINITY;
      const high = context.given(2) ? context.numbers(2)?.[0] : Number.POSITIVE_INFINITY;
      if (low === undefined || high === undefined) return undefined;
      return mapElements(context, (x) => Math.min(Math.max(x, low), high));
    },
  }),
  define('Identity', { infer: sameAs(), propagate: (context) => context.elements(0) }),

  castOperator(13, {}),
  castOperator(19, { saturate: int(1) }),
  castOperator(24, { saturate: int(1), round_mode: string('up') }),
  castLikeOperator(15, {}),
  castLikeOperator(19, { saturate: int(1) }),
  castLikeOperator(24, { saturate: int(1), round_mode: string('up') }),
  define('BitCast', {
    since: 26,
    attributes: { to: 'int' },
    infer: (context) => {
      const [from, to] = [context.input(0).dtype, context.dtype('to')];
      if (from === 'string' || to === 'string' || BYTES_PER_ELEMENT[from] !== BYTES_PER_ELEMENT[to])
        context.fail(`bits of ${from} are not those of ${to}: both must be of one size, and not text.`);
      return [tensor(to, context.shape(0))];
    },
  }),
];

function castOperator(since: number, extra: Definition['attributes']): OperatorDefinition {
  return define('Cast', {
    since,
    attributes: { to: 'int', ...extra },
    infer: (context) => [tensor(context.dtype('to'), context.input(0).shape)],
    propagate: (context) => castElements(context, context.dtype('to')),
  });
}

function castLikeOperator(since: number, extra: Definition['attributes']): OperatorDefinition {
  return define('CastLike', {
    since,
    inputs: 2,
    attributes: { ...extra },
    infer: (context) => [tensor(context.input(1).dtype, context.input(0).shape)],
    propagate: (context) => castElements(context, context.input(1).dtype),
  });
}

function castElements(context: InferenceContext, to: ReturnType<InferenceContext['dtype']>): KnownElements | undefined {
  const whole = to === 'int64' || to === 'int32';
  if (!whole && to !== 'float32' && to !== 'float64' && to !== 'bool') return undefined;
  return context.elements(0)?.map((element) => {
    if (typeof element === 'number') return asType(whole ? Math.trunc(element) : element, to);
    return to === 'bool' ? undefined : element;
  });
}
