/** What a gradient rule sees of its node, and writes its gradients with. */
import type { DataType } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import type { Value } from '../graph/builder.js';
import { numbersOf } from '../graph/constants.js';
import type { KnownElements } from '../graph/infer/infer-node.js';
import type { Constant, Node, TensorType } from '../graph/ir.js';
import { expandTo, unbroadcast } from './broadcast.js';
import { axisFromFront, isDifferentiable } from './shapes.js';
import { type DifferentiationState, GradientWriter } from './writer.js';

export class GradientContext extends GradientWriter {
  readonly opset: number;
  /** Undefined where an optional input is omitted. */
  readonly inputs: readonly (Value | undefined)[];
  #node: Node;
  readonly #state: DifferentiationState;
  readonly #gradients: (Value | undefined)[];
  readonly #full: (Value | undefined)[] = [];

  /** @internal Inside use: differentiate() makes one for each node. */
  constructor(state: DifferentiationState, node: Node, gradients: readonly (Value | undefined)[] = []) {
    super(state, `${node.name || node.outputs[0]}/grad`);
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

  /** A scalar constant, of the first input's type where none is given; arithmetic on it is folded. */
  override scalar(value: number, dtype: DataType = this.input(0).dtype): Value {
    return super.scalar(value, dtype);
  }

  /** A gradient in the shape of `output`, summed over the axes along which `input` was broadcast to it. */
  unbroadcast(gradient: Value, input: Value, output: Value = this.output()): Value {
    return unbroadcast(this, gradient, input, output);
  }
}
