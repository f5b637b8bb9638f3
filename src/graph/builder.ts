/** Builds an ONNX graph node by node; every value's type is inferred as it is added. */
import type { DataType } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { type ConstantData, constantOf } from './constants.js';
import { type InferenceScope, inferNode, type KnownElements, SubgraphBudget } from './infer/infer-node.js';
import { knownElementsOf } from './infer/known-elements.js';
import { refineType } from './infer/refine.js';
import {
  type Constant,
  type Graph,
  irVersionOf,
  type Model,
  type Node,
  type Shape,
  type TensorType,
  type ValueInfo,
  WORKING_OPSET,
} from './ir.js';
import { UniqueNames } from './names.js';
import { type AttributeInput, encodeAttributes } from './operators/attributes.js';

/** A value of a graph under construction. */
export interface Value extends TensorType {
  readonly name: string;
}

export interface NodeOptions {
  /** Node name, and the stem of its outputs' names. Made unique. */
  readonly name?: string;
  /** Exact names for the outputs ('' for an unwanted optional one), or how many there are. Default 1. */
  readonly outputs?: number | readonly string[];
  readonly domain?: string;
}

export interface BuilderOptions {
  readonly name?: string;
  readonly opset?: number;
}

export class GraphBuilder {
  readonly graph: Graph;
  readonly model: Model;
  /** Elements of small integer tensors known while building (see KnownElements). */
  readonly known = new Map<string, KnownElements>();
  readonly #names = new UniqueNames();
  readonly #constants = new Map<string, Value>();
  /** Which node makes a value. */
  readonly producers = new Map<string, Node>();
  readonly #scope: InferenceScope;
  /** Lengths that inference could not tell. */
  readonly #unknown = new Set<string>();
  /** Types that the graph gone on with had, which may say more than inference can. */
  #declared: ReadonlyMap<string, TensorType> | undefined;

  constructor(options: BuilderOptions = {}) {
    this.graph = {
      name: options.name ?? 'graph',
      inputs: [],
      outputs: [],
      initializers: new Map(),
      nodes: [],
      types: new Map(),
    };
    this.model = {
      irVersion: irVersionOf(options.opset ?? WORKING_OPSET),
      opsets: new Map([['', options.opset ?? WORKING_OPSET]]),
      producer: 'node-vae',
      metadata: new Map(),
      graph: this.graph,
    };
    const { opset } = this;
    this.#scope = {
      opset,
      opsets: this.model.opsets,
      elements: (name) => this.known.get(name),
      constant: (name) => this.graph.initializers.get(name),
      type: (name) => this.graph.types.get(name),
      budget: new SubgraphBudget(),
      freshDim: () => {
        const dim = this.unique('dim');
        this.#unknown.add(dim);
        return dim;
      },
    };
  }

  get opset(): number {
    return this.model.opsets.get('') ?? WORKING_OPSET;
  }

  /** Goes on with a graph that exists; the model is copied shallowly and the original not changed. */
  static from(model: Model): GraphBuilder {
    const builder = new GraphBuilder({ name: model.graph.name, opset: model.opsets.get('') ?? WORKING_OPSET });
    builder.model.irVersion = model.irVersion;
    builder.model.producer = model.producer;
    for (const [domain, version] of model.opsets) builder.model.opsets.set(domain, version);
    for (const [key, text] of model.metadata) builder.model.metadata.set(key, text);
    builder.#declared = model.graph.types;
    for (const { shape } of model.graph.types.values()) builder.#claimDims(shape);
    for (const input of model.graph.inputs) builder.input(input.name, input.dtype, input.shape);
    for (const [name, constant] of model.graph.initializers) builder.initializer(name, constant);
    for (const node of model.graph.nodes) builder.append(node);
    for (const output of model.graph.outputs) builder.output(output.name, builder.value(output.name));
    builder.#declared = undefined;
    return builder;
  }

  /** A graph input. Symbolic lengths are names, such as `'N'` for the batch. */
  input(name: string, dtype: DataType, shape: Shape | undefined): Value {
    this.#claim(name);
    const info: ValueInfo = { name, dtype, shape };
    this.#claimDims(shape);
    this.graph.inputs.push(info);
    return this.#define(name, { dtype, shape });
  }

  /** A constant stored in the graph under exactly this name: a parameter, unless it is marked as a literal. */
  initializer(name: string, constant: Constant): Value {
    this.#claim(name);
    this.graph.initializers.set(name, constant);
    return this.#define(name, { dtype: constant.dtype, shape: constant.dims }, constant);
  }

  /** A literal of the formula, never a parameter; equal ones are shared. int64 data is given as numbers. */
  constant(data: ConstantData, dtype: DataType = 'float32', dims?: readonly number[]): Value {
    const constant: Constant = { ...constantOf(data, dtype, dims), literal: true };
    const bytes = constant.data as Uint8Array;
    const key =
      bytes.byteLength <= 256 && dtype !== 'string'
        ? `${dtype}|${constant.dims.join(',')}|${Buffer.from(bytes).toString('base64')}`
        : undefined;
    const found = key === undefined ? undefined : this.#constants.get(key);
    if (found) return found;
    const value = this.initializer(this.unique('const'), constant);
    if (key !== undefined) this.#constants.set(key, value);
    return value;
  }

  /** A float32 scalar (or another type's), shared like every constant. */
  scalar(value: number, dtype: DataType = 'float32'): Value {
    return this.constant([value], dtype, []);
  }

  /** A one-dimensional int64 constant, as shapes and axes are given. */
  int64s(values: readonly number[]): Value {
    return this.constant(values, 'int64', [values.length]);
  }

  /** Adds a node with one output and returns it. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
    options: NodeOptions = {},
  ): Value {
    return this.ops(op, inputs, attributes, options)[0]!;
  }

  /** Adds a node and returns all its outputs. */
  ops(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
    options: NodeOptions = {},
  ): Value[] {
    const name = this.unique(options.name ?? op);
    const wanted = options.outputs ?? 1;
    const outputs =
      typeof wanted === 'number'
        ? Array.from({ length: wanted }, (_, index) => this.unique(index === 0 ? `${name}_out` : `${name}_out${index}`))
        : [...wanted];
    const names = inputs.map((value) => value?.name ?? '');
    while (names.length > 0 && names[names.length - 1] === '') names.pop();
    return this.append({
      op,
      domain: options.domain ?? '',
      name,
      inputs: names,
      outputs,
      attributes: encodeAttributes(op, attributes, this.#opsetOf(options.domain ?? ''), options.domain ?? ''),
    });
  }

  /** Adds a node that already has its names and attributes, as an imported graph's do. */
  append(node: Node): Value[] {
    const at = `node "${node.name}" (${node.op})`;
    const inputs = node.inputs.map((name) => {
      if (name === '') return undefined;
      const type = this.graph.types.get(name);
      if (type === undefined) {
        throw new VaeError('ERR_VAE_GRAPH', `${at} reads "${name}", which nothing before it makes.`);
      }
      return type;
    });
    const { types, elements } = inferNode(node, inputs, this.#scope);
    // A runtime wants a version for every domain that the graph uses.
    if (!this.model.opsets.has(node.domain)) this.model.opsets.set(node.domain, 1);
    this.graph.nodes.push(node);
    if (node.name !== '') this.#names.claim(node.name);
    return node.outputs.map((name, index) => {
      if (name === '') return { name: '', dtype: 'float32', shape: undefined };
      if (this.graph.types.has(name)) throw new VaeError('ERR_VAE_GRAPH', `${at} makes "${name}" a second time.`);
      this.#names.claim(name);
      this.producers.set(name, node);
      const type = refineType(types[index]!, this.#declared?.get(name), (dim) => this.#unknown.has(dim));
      const value = this.#define(name, type);
      if (index === 0 && elements) this.known.set(name, elements);
      return value;
    });
  }

  /** Makes a value an output of the graph under this name, through an Identity where the name differs. */
  output(name: string, value: Value): Value {
    const named = value.name === name ? value : this.ops('Identity', [value], {}, { outputs: [name] })[0]!;
    this.graph.outputs.push({ name, dtype: named.dtype, shape: named.shape });
    return named;
  }

  /** The value of this name; an error where the graph has none. */
  value(name: string): Value {
    const type = this.graph.types.get(name);
    if (type === undefined) throw new VaeError('ERR_VAE_GRAPH', `The graph has no value named "${name}".`);
    return { name, ...type };
  }

  /** A name that nothing else in the graph has. */
  unique(stem: string): string {
    return this.#names.unique(stem);
  }

  /** Lengths invented later must not be taken for these. */
  #claimDims(shape: Shape | undefined): void {
    for (const dim of shape ?? []) if (typeof dim === 'string') this.#names.claim(dim);
  }

  #opsetOf(domain: string): number {
    return domain === '' ? this.opset : (this.model.opsets.get(domain) ?? 1);
  }

  #claim(name: string): void {
    if (this.graph.types.has(name))
      throw new VaeError('ERR_VAE_GRAPH', `The graph already has a value named "${name}".`);
    this.#names.claim(name);
  }

  #define(name: string, type: TensorType, constant?: Constant): Value {
    this.graph.types.set(name, type);
    if (constant) {
      const elements = knownElementsOf(constant);
      if (elements) this.known.set(name, elements);
    }
    return { name, ...type };
  }
}
