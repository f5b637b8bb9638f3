/** Gathering and scattering by index: what one reads, the other writes. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { assembleShape, lengthsOf, lengthTensor } from '../shapes.js';

type Gradients = readonly (Value | undefined)[];

/**
 * Adds up the gradient of each element that was read, however often it was. ScatterElements adds
 * one after the other, so that repeated indices count and the sum is the same in every run.
 */
function scatterAdd(context: GradientContext, like: Value, indices: Value, updates: Value, axis: number): Value {
  return context.op('ScatterElements', [context.zerosLike(like), indices, updates], { axis, reduction: 'add' });
}

/** Gather along one axis. Rows are first made one long axis, so that each index stands for a whole row. */
function gathered(context: GradientContext): Gradients {
  const { builder } = context;
  const [x, indices] = [context.input(0), context.input(1)];
  const axis = context.axis(0, x);
  const rank = context.rank(x);
  const indexRank = context.rank(indices);
  const gradient = context.gradient();
  if (axis === 0) {
    // Whole rows, as an embedding looks them up.
    const rows = context.op('Unsqueeze', [indices, builder.int64s([-1])]);
    return [context.op('ScatterND', [context.zerosLike(x), rows, gradient], { reduction: 'add' }), undefined];
  }
  // The axes of the indices stand where the gathered axis was; as one axis they are [.., count, ..].
  const flat = flattenAxes(context, gradient, axis, indexRank, x);
  const list = context.op('Reshape', [
    indices,
    builder.int64s([...new Array(axis).fill(1), -1, ...new Array(rank - axis - 1).fill(1)]),
  ]);
  const positions = context.op('Expand', [list, context.shapeOf(flat)]);
  return [scatterAdd(context, x, positions, flat, axis), undefined];
}

/** Makes `count` axes from `axis` on one, of a gradient whose other axes are those of the input. */
function flattenAxes(context: GradientContext, gradient: Value, axis: number, count: number, like: Value): Value {
  if (count === 1) return gradient;
  const parts = like.shape!.map((length, each) => {
    if (each === axis) return -1;
    return typeof length === 'number' ? length : lengthTensor(context.builder, like, each);
  });
  return context.op('Reshape', [gradient, assembleShape(context.builder, parts)]);
}

function gatheredElements(context: GradientContext): Gradients {
  return [scatterAdd(context, context.input(0), context.input(1), context.gradient(), context.axis(0)), undefined];
}

function gatheredNd(context: GradientContext): Gradients {
  const x = context.input(0);
  const batchDims = context.int('batch_dims', 0);
  const indices = batchDims === 0 ? context.input(1) : withBatchIndices(context, context.input(1), batchDims);
  return [
    context.op('ScatterND', [context.zerosLike(x), indices, context.gradient()], { reduction: 'add' }),
    undefined,
  ];
}

/** Indices that begin with the position of their batch, as if there were no batch axes. */
function withBatchIndices(context: GradientContext, indices: Value, batchDims: number): Value {
  const { builder } = context;
  const rank = context.rank(indices);
  const lengths = lengthsOf(builder, indices);
  const single = context.op('Expand', [builder.int64s([0]), assembleShape(builder, [...lengths.slice(0, -1), 1])]);
  const columns: Value[] = [];
  for (let axis = 0; axis < batchDims; axis += 1) {
    const length = context.op('Squeeze', [lengthTensor(builder, indices, axis), builder.int64s([0])]);
    const zero = builder.constant([0], 'int64', []);
    const range = context.op('Range', [zero, length, builder.constant([1], 'int64', [])]);
    const shape = new Array<number>(rank).fill(1);
    shape[axis] = -1;
    columns.push(context.op('Add', [single, context.reshape(range, shape)]));
  }
  return context.op('Concat', [...columns, indices], { axis: rank - 1 });
}

/** Overwritten elements get nothing back; added ones keep their own. */
function scattered(context: GradientContext, zeros: () => Value, read: () => Value): Gradients {
  const reduction = context.string('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    context.fail(`reduction "${reduction}" is not differentiated; "none" and "add" are`);
  }
  return [
    context.needs(0) ? (reduction === 'add' ? context.gradient() : zeros()) : undefined,
    undefined,
    context.needs(2) ? read() : undefined,
  ];
}

function scatteredElements(context: GradientContext): Gradients {
  const axis = context.axis(0);
  const indices = context.input(1);
  return scattered(
    context,
    () => context.op('ScatterElements', [context.gradient(), indices, context.zerosLike(context.input(2))], { axis }),
    () => context.op('GatherElements', [context.gradient(), indices], { axis }),
  );
}

function scatteredNd(context: GradientContext): Gradients {
  const indices = context.input(1);
  return scattered(
    context,
    () => context.op('ScatterND', [context.gradient(), indices, context.zerosLike(context.input(2))]),
    () => context.op('GatherND', [context.gradient(), indices]),
  );
}

/** The values that were picked keep their places, which the second output tells. */
function topK(context: GradientContext): Gradients {
  const [x, values] = [context.input(0), context.output()];
  const positions = context.extraOutput(1, { dtype: 'int64', shape: values.shape });
  return [scatterAdd(context, x, positions, context.gradient(), context.axis(-1)), undefined];
}

export const INDEXING: GradientTable = {
  Gather: rule(gathered),
  GatherElements: rule(gatheredElements),
  GatherND: rule(gatheredNd),
  ScatterElements: rule(scatteredElements),
  ScatterND: rule(scatteredNd),
  TopK: rule(topK),
};
