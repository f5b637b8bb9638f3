/** The small vocabulary that gradients are written in: nodes named after the forward node, constants folded. */
import type { DataType } from '../core/dtype.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import { numbersOf } from '../graph/constants.js';
import type { AttributeInput } from '../graph/operators/attributes.js';
import { isDifferentiable, lengthTensor, reshapeTarget, sameShape, shapeTensor } from './shapes.js';

/** What differentiate() shares between the contexts of all nodes. */
export interface DifferentiationState {
  readonly builder: GraphBuilder;
  /** Values that a parameter reaches by way of float values. */
  readonly reached: ReadonlySet<string>;
  /** Scalar constants made while differentiating, by name: arithmetic on them is done at once. */
  readonly scalars: Map<string, number>;
}

export class GradientWriter {
  readonly builder: GraphBuilder;
  readonly #prefix: string;
  readonly #reached: ReadonlySet<string>;
  readonly #scalars: Map<string, number>;

  /** @internal Names of new nodes begin with `prefix`. */
  constructor({ builder, reached, scalars }: DifferentiationState, prefix: string) {
    this.builder = builder;
    this.#prefix = prefix;
    this.#reached = reached;
    this.#scalars = scalars;
  }

  /** Adds a node with one output; it is named after the forward node. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
  ): Value {
    return this.builder.op(op, inputs, attributes, { name: `${this.#prefix}/${op}` });
  }

  /** Adds a node with several outputs. */
  ops(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeInput>>,
    outputs: number,
  ): Value[] {
    return this.builder.ops(op, inputs, attributes, { name: `${this.#prefix}/${op}`, outputs });
  }

  /** A scalar constant; arithmetic on it by the functions below is folded. */
  scalar(value: number, dtype: DataType): Value {
    const constant = this.builder.scalar(value, dtype);
    this.#scalars.set(constant.name, value);
    return constant;
  }

  /** The number that a scalar is known to be: one made by `scalar`, by folding, or a constant of the forward graph. */
  #known(value: Value): number | undefined {
    if (value.shape?.length !== 0 || !isDifferentiable(value.dtype)) return undefined;
    const known = this.#scalars.get(value.name);
    if (known !== undefined) return known;
    const constant = this.builder.graph.initializers.get(value.name);
    if (constant === undefined || this.#reached.has(value.name) || !(constant.data instanceof Uint8Array)) {
      return undefined;
    }
    const number = numbersOf(constant)[0]!;
    this.#scalars.set(value.name, number);
    return number;
  }

  mul(left: Value, right: Value): Value {
    const a = this.#known(left);
    const b = this.#known(right);
    if (a !== undefined && b !== undefined) return this.scalar(a * b, left.dtype);
    if (a === 0 || b === 0) return this.scalar(0, left.dtype);
    if (a === 1) return right;
    if (b === 1) return left;
    if (a === -1) return this.neg(right);
    if (b === -1) return this.neg(left);
    return this.op('Mul', [left, right]);
  }

  div(left: Value, right: Value): Value {
    const a = this.#known(left);
    const b = this.#known(right);
    if (b !== undefined && a !== undefined && b !== 0) return this.scalar(a / b, left.dtype);
    if (b === 1) return left;
    if (a === 1) return this.op('Reciprocal', [right]);
    if (b !== undefined && b !== 0) return this.mul(left, this.scalar(1 / b, left.dtype));
    return this.op('Div', [left, right]);
  }

  add(left: Value, right: Value): Value {
    const a = this.#known(left);
    const b = this.#known(right);
    if (a !== undefined && b !== undefined) return this.scalar(a + b, left.dtype);
    if (a === 0) return right;
    if (b === 0) return left;
    return this.op('Add', [left, right]);
  }

  sub(left: Value, right: Value): Value {
    const a = this.#known(left);
    const b = this.#known(right);
    if (a !== undefined && b !== undefined) return this.scalar(a - b, left.dtype);
    if (b === 0) return left;
    if (a === 0) return this.neg(right);
    return this.op('Sub', [left, right]);
  }

  neg(value: Value): Value {
    const known = this.#known(value);
    return known === undefined ? this.op('Neg', [value]) : this.scalar(-known, value.dtype);
  }

  /** A value times a number. */
  scale(value: Value, factor: number): Value {
    return this.mul(value, this.scalar(factor, value.dtype));
  }

  square(value: Value): Value {
    return this.mul(value, value);
  }

  /** The value converted to a data type; itself where it has it. */
  cast(value: Value, dtype: DataType): Value {
    return value.dtype === dtype ? value : this.op('Cast', [value], { to: dtype });
  }

  /** `yes` where the condition (bool) holds, otherwise zero. */
  keepWhere(condition: Value, yes: Value): Value {
    return this.op('Where', [condition, yes, this.scalar(0, yes.dtype)]);
  }

  /**
   * The same by a product, which is faster (a Where takes three times as long as a Mul) and fit
   * for values that are finite wherever the result is used.
   */
  mask(condition: Value, value: Value): Value {
    return this.mul(value, this.cast(condition, value.dtype));
  }

  /** Zero where the condition (bool) holds, otherwise `no`. */
  dropWhere(condition: Value, no: Value): Value {
    return this.op('Where', [condition, this.scalar(0, no.dtype), no]);
  }

  /** Zeros of a value's type and shape. */
  zerosLike(value: Value): Value {
    return this.op('Expand', [this.scalar(0, value.dtype), shapeTensor(this.builder, value)]);
  }

  /** The data of a value in the shape of another that has as many elements. */
  reshapeLike(value: Value, like: Value): Value {
    if (sameShape(value.shape, like.shape)) return value;
    return this.op('Reshape', [value, reshapeTarget(this.builder, like)]);
  }

  reshape(value: Value, shape: readonly number[]): Value {
    if (sameShape(value.shape, shape)) return value;
    return this.op('Reshape', [value, this.builder.int64s(shape)]);
  }

  transpose(value: Value, order: readonly number[]): Value {
    return order.every((axis, index) => axis === index) ? value : this.op('Transpose', [value], { perm: order });
  }

  reduceSum(value: Value, axes: readonly number[], keepDims: boolean): Value {
    if (axes.length === 0) return value;
    return this.op('ReduceSum', [value, this.builder.int64s(axes)], { keepdims: keepDims });
  }

  reduceMean(value: Value, axes: readonly number[], keepDims: boolean): Value {
    if (axes.length === 0) return value;
    return this.op('ReduceMean', [value, this.builder.int64s(axes)], { keepdims: keepDims });
  }

  /** Exact shape of a value, int64. */
  shapeOf(value: Value): Value {
    return shapeTensor(this.builder, value);
  }

  /** Number of elements along one axis as a scalar of the given float type. */
  lengthOf(value: Value, axis: number, dtype: DataType): Value {
    const dim = value.shape?.[axis];
    if (typeof dim === 'number') return this.scalar(dim, dtype);
    const length = lengthTensor(this.builder, value, axis);
    return this.cast(this.op('Squeeze', [length, this.builder.int64s([0])]), dtype);
  }
}
