/** What a gradient rule sees of its node, and the small vocabulary it writes gradients in. */
import type { DataType } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import { numbersOf } from '../graph/constants.js';
import type { KnownElements } from '../graph/infer/infer-node.js';
import type { Constant, Node, TensorType } from '../graph/ir.js';
import type { AttributeInput } from '../graph/operators/attributes.js';
import { expandTo, unbroadcast } from './broadcast.js';
import { axisFromFront, isDifferentiable, lengthTensor, reshapeTarget, sameShape, shapeTensor } from './shapes.js';

/** What differentiate() shares between the contexts of all nodes. */
export interface DifferentiationState {
  readonly builder: GraphBuilder;
  /** Values that a parameter reaches by way of float values. */
  readonly reached: ReadonlySet<string>;
  /** Scalar constants made while differentiating, by name: arithmetic on them is done at once. */
  readonly scalars: Map<string, number>;
}

export class GradientContext {
  readonly builder: GraphBuilder;
  readonly opset: number;
  /** Undefined where an optional input is omitted. */
  readonly inputs: readonly (Value | undefined)[];
  #node: Node;
  readonly #state: DifferentiationState;
  readonly #gradients: (Value | undefined)[];
  readonly #full: (Value | undefined)[] = [];

  /** @internal Inside use: differentiate() makes one for each node. */
  constructor(state: DifferentiationState, node: Node, gradients: readonly (Value | undefined)[] = []) {
    this.builder = state.builder;
    this.opset = state.builder.opset;
    this.#state = state;
    this.#node = node;
    this.#gradients = [...gradients];
    this.inputs = node.inputs.map((name) => (name === '' ? undefined : state.builder.value(name)));
  }

  get node(): Node {
    return this.#node;
  }

  // --- The node ---

  /** Whether the gradient of this input is wanted. */
  needs(index: number): boolean {
    const value = this.inputs[index];
    return value !== undefined && isDifferentiable(value.dtype) && this.#state.reached.has(value.name);
  }

  /** Input `index`; an error where it is omitted. */
  input(index: number): Value {
    return this.inputs[index] ?? this.fail(`its input ${index} is missing`);
  }

  /** Output `index` of the forward node, already computed. */
  output(index = 0): Value {
    const name = this.#node.outputs[index];
    if (name === undefined || name === '') this.fail(`its output ${index} is not made`);
    return this.builder.value(name);
  }

  /**
   * An optional output of the forward node that backward wants (saved statistics, indices). Where
   * the node does not make it yet, it is made to.
   */
  extraOutput(index: number, type: TensorType): Value {
    const name = this.#node.outputs[index];
    if (name !== undefined && name !== '') return this.builder.value(name);
    const { graph, producers } = this.builder;
    const outputs = [...this.#node.outputs];
    while (outputs.length <= index) outputs.push('');
    const made = this.builder.unique(`${outputs[0]}/saved`);
    outputs[index] = made;
    const node: Node = { ...this.#node, outputs };
    graph.nodes[graph.nodes.indexOf(this.#node)] = node;
    this.#node = node;
    graph.types.set(made, type);
    for (const output of outputs) if (output !== '') producers.set(output, node);
    return { name: made, ...type };
  }

  int(name: string, fallback: number): number {
    const attribute = this.#node.attributes[name];
    return attribute?.kind === 'int' ? attribute.value : fallback;
  }

  ints(name: string): readonly number[] | undefined {
    const attribute = this.#node.attributes[name];
    return attribute?.kind === 'ints' ? attribute.value : undefined;
  }

  float(name: string, fallback: number): number {
    const attribute = this.#node.attributes[name];
    return attribute?.kind === 'float' ? attribute.value : fallback;
  }

  string(name: string, fallback: string): string {
    const attribute = this.#node.attributes[name];
    return attribute?.kind === 'string' ? attribute.value : fallback;
  }

  /** Rank of a value; an error where it is not known. */
  rank(value: Value): number {
    return value.shape?.length ?? this.fail(`the rank of "${value.name}" is not known`);
  }

  /** The attribute `axis`, counted from the front. */
  axis(fallback: number, value: Value = this.input(0)): number {
    return axisFromFront(this.int('axis', fallback), this.rank(value));
  }

  /** Elements of an integer input where the graph tells them before it runs. */
  elements(index: number): readonly number[] | undefined {
    const name = this.inputs[index]?.name;
    const known: KnownElements | undefined = name === undefined ? undefined : this.builder.known.get(name);
    return known?.every((element) => typeof element === 'number') ? (known as readonly number[]) : undefined;
  }

  /**
   * The constant behind an input, where it is one that training does not change and is held in
   * memory; undefined otherwise.
   */
  constant(index: number): Constant | undefined {
    const value = this.inputs[index];
    if (value === undefined || this.#state.reached.has(value.name)) return undefined;
    const constant = this.builder.graph.initializers.get(value.name);
    if (constant === undefined) {
      const producer = this.builder.producers.get(value.name);
      const attribute = producer?.op === 'Constant' ? producer.attributes['value'] : undefined;
      return attribute?.kind === 'tensor' ? attribute.value : undefined;
    }
    return constant.data instanceof Uint8Array ? constant : undefined;
  }

  /** The elements of a constant input of any type as numbers. */
  numbers(index: number): Float64Array | undefined {
    const constant = this.constant(index);
    return constant === undefined || constant.dtype === 'string' ? undefined : numbersOf(constant);
  }

  /** The number that an input is everywhere: a constant of one element. */
  constantNumber(index: number): number | undefined {
    const constant = this.constant(index);
    if (constant === undefined || constant.dtype === 'string') return undefined;
    if (constant.dims.some((dim) => dim !== 1)) return undefined;
    return numbersOf(constant)[0];
  }

  /** Stops with an error that names operator, opset and node. */
  fail(reason: string): never {
    const { op, name } = this.#node;
    throw new VaeError(
      'ERR_VAE_UNSUPPORTED_OPERATOR',
      `The gradient of node "${name}" (${op}, opset ${this.opset}) cannot be made: ${reason}. ` +
        `Write the node in other operators, or give ${op} a rule of your own with registerGradient (docs/guides/operator-rule.md).`,
    );
  }

  // --- Gradients of the outputs ---

  /** Whether the loss depends on output `index`. */
  hasGradient(index: number): boolean {
    return this.#gradients[index] !== undefined;
  }

  /** Gradient of output `index` in the output's full shape; zeros where the loss does not depend on it. */
  gradient(index = 0): Value {
    const known = this.#full[index];
    if (known !== undefined) return known;
    const compact = this.#gradients[index];
    const output = this.output(index);
    const full = compact === undefined ? this.zerosLike(output) : expandTo(this, compact, output);
    this.#full[index] = full;
    return full;
  }

  /**
   * The same, but perhaps with axes of length 1 (or missing ones) where it is constant along them:
   * the gradient of a mean, say. Elementwise rules use it, and broadcasting does the rest.
   */
  compactGradient(index = 0): Value {
    return this.#full[index] ?? this.#gradients[index] ?? this.gradient(index);
  }

  // --- Writing the gradient ---

  /** Adds a node with one output; it is named after the forward node. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
  ): Value {
    return this.builder.op(op, inputs, attributes, { name: this.#nameOf(op) });
  }

  /** Adds a node with several outputs. */
  ops(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeInput>>,
    outputs: number,
  ): Value[] {
    return this.builder.ops(op, inputs, attributes, { name: this.#nameOf(op), outputs });
  }

  #nameOf(op: string): string {
    return `${this.#node.name || this.#node.outputs[0]}/grad/${op}`;
  }

  /** A scalar constant; arithmetic on it by the functions below is folded. */
  scalar(value: number, dtype: DataType = this.input(0).dtype): Value {
    const constant = this.builder.scalar(value, dtype);
    this.#state.scalars.set(constant.name, value);
    return constant;
  }

  /** The number that a scalar is known to be: one made by `scalar`, by folding, or a constant of the forward graph. */
  #known(value: Value): number | undefined {
    if (value.shape?.length !== 0 || !isDifferentiable(value.dtype)) return undefined;
    const known = this.#state.scalars.get(value.name);
    if (known !== undefined) return known;
    const constant = this.builder.graph.initializers.get(value.name);
    if (constant === undefined || this.#state.reached.has(value.name) || !(constant.data instanceof Uint8Array)) {
      return undefined;
    }
    const number = numbersOf(constant)[0]!;
    this.#state.scalars.set(value.name, number);
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

  /** A gradient in the shape of `output`, summed over the axes along which `input` was broadcast to it. */
  unbroadcast(gradient: Value, input: Value, output: Value = this.output()): Value {
    return unbroadcast(this, gradient, input, output);
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
