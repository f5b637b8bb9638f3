/** Matrix products. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { sameShape } from '../shapes.js';

type Gradients = readonly (Value | undefined)[];

/** A transposed product as one Gemm, which reads its operands transposed at no cost. */
function gemm(context: GradientContext, a: Value, b: Value, transA: boolean, transB: boolean, alpha = 1): Value {
  return context.op('Gemm', [a, b], {
    ...(transA ? { transA: 1 } : {}),
    ...(transB ? { transB: 1 } : {}),
    ...(alpha === 1 ? {} : { alpha }),
  });
}

/** Y = α·A'B' + β·C, where a prime stands for a transpose if asked. */
function gemmRule(context: GradientContext): Gradients {
  const gradient = context.compactGradient();
  const alpha = context.float('alpha', 1);
  const transA = context.int('transA', 0) !== 0;
  const transB = context.int('transB', 0) !== 0;
  const [a, b] = [context.input(0), context.input(1)];
  const full = () => context.gradient();
  return [
    context.needs(0)
      ? transA
        ? gemm(context, b, full(), transB, true, alpha)
        : gemm(context, full(), b, false, !transB, alpha)
      : undefined,
    context.needs(1)
      ? transB
        ? gemm(context, full(), a, true, transA, alpha)
        : gemm(context, a, full(), !transA, false, alpha)
      : undefined,
    context.needs(2)
      ? context.scale(context.unbroadcast(gradient, context.input(2)), context.float('beta', 1))
      : undefined,
  ];
}

const transposeLast = (context: GradientContext, value: Value): Value => {
  const rank = context.rank(value);
  const order = Array.from({ length: rank }, (_, axis) => axis);
  return context.transpose(value, [...order.slice(0, -2), rank - 1, rank - 2]);
};

/** Two matrices, as [rows, columns], of a tensor whose leading axes are all rows. */
function asMatrix(context: GradientContext, value: Value): Value {
  const columns = value.shape!.at(-1)!;
  if (value.shape!.length === 2) return value;
  if (typeof columns === 'number' && columns > 0) return context.reshape(value, [-1, columns]);
  return context.op('Flatten', [value], { axis: context.rank(value) - 1 });
}

function matMulRule(context: GradientContext): Gradients {
  const [a, b] = [context.input(0), context.input(1)];
  const [rankA, rankB] = [context.rank(a), context.rank(b)];
  const gradient = context.gradient();
  if (rankA === 1 || rankB === 1) return vectorProduct(context, a, b, gradient);
  if (rankB === 2) {
    // A stack of rows times one matrix: the stack is one tall matrix.
    const tall = asMatrix(context, gradient);
    return [
      context.needs(0) ? context.reshapeLike(gemm(context, tall, b, false, true), a) : undefined,
      context.needs(1) ? gemm(context, asMatrix(context, a), tall, true, false) : undefined,
    ];
  }
  return [
    context.needs(0) ? batchSum(context, context.op('MatMul', [gradient, transposeLast(context, b)]), a) : undefined,
    context.needs(1) ? batchSum(context, context.op('MatMul', [transposeLast(context, a), gradient]), b) : undefined,
  ];
}

/** Sums over the leading axes along which an operand was broadcast; the product has the rank of the result. */
function batchSum(context: GradientContext, product: Value, operand: Value): Value {
  return sameShape(product.shape, operand.shape) ? product : context.unbroadcast(product, operand, product);
}

/** A vector counts as a row on the left and a column on the right. */
function vectorProduct(context: GradientContext, a: Value, b: Value, gradient: Value): Gradients {
  const { builder } = context;
  const axes = (...list: number[]) => builder.int64s(list);
  const [isRow, isColumn] = [a.shape!.length === 1, b.shape!.length === 1];
  const matrixA = isRow ? context.op('Unsqueeze', [a, axes(0)]) : a;
  const matrixB = isColumn ? context.op('Unsqueeze', [b, axes(1)]) : b;
  let matrixG = gradient;
  if (isColumn) matrixG = context.op('Unsqueeze', [matrixG, axes(-1)]);
  if (isRow) matrixG = context.op('Unsqueeze', [matrixG, axes(-2)]);
  const back = (product: Value, matrix: Value, operand: Value) =>
    context.reshapeLike(batchSum(context, product, matrix), operand);
  return [
    context.needs(0) ? back(context.op('MatMul', [matrixG, transposeLast(context, matrixB)]), matrixA, a) : undefined,
    context.needs(1) ? back(context.op('MatMul', [transposeLast(context, matrixA), matrixG]), matrixB, b) : undefined,
  ];
}

export const MATMUL: GradientTable = {
  Gemm: rule(gemmRule),
  MatMul: rule(matMulRule),
};
