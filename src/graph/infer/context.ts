/** An operator's view of one node while its outputs' types are inferred. */
import type { DataType } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { printable } from '../external-data.js';
import type { Attribute, AttributeKind, Constant, Graph, Node, Shape, TensorType } from '../ir.js';
import type { InferenceContext, KnownElements, OperatorDefinition } from '../operators/definition.js';
import { describeOperator } from '../operators/table.js';
import { dataTypeOf, describeDataType } from '../proto/data-types.js';

/** What surrounds a node: the graph so far. */
export interface InferenceScope {
  readonly opset: number;
  /** Versions of other domains' operator sets. */
  readonly opsets?: ReadonlyMap<string, number>;
  elements(name: string): KnownElements | undefined;
  constant(name: string): Constant | undefined;
  /** Type of a value of the graph or of those around it; needed for nodes with subgraphs. */
  type(name: string): TensorType | undefined;
  freshDim(): string;
  readonly budget: SubgraphBudget;
}

/**
 * How many nodes of subgraphs one graph may have inferred. A Loop may need two goes at its body, so
 * loops within loops double the work at each level, and a hostile file nests them deep.
 */
export class SubgraphBudget {
  #left = 250_000;

  /** False once the budget is used up. */
  spend(nodes: number): boolean {
    this.#left -= nodes;
    return this.#left >= 0;
  }
}

export type SubgraphInference = (
  graph: Graph,
  inputs: readonly (TensorType | undefined)[],
  scope: InferenceScope,
) => readonly TensorType[];

export class NodeContext implements InferenceContext {
  constructor(
    readonly node: Node,
    readonly definition: OperatorDefinition,
    readonly inputs: readonly (TensorType | undefined)[],
    readonly scope: InferenceScope,
    private readonly inferSubgraph: SubgraphInference,
  ) {}

  get opset(): number {
    return this.scope.opset;
  }

  input(index: number): TensorType {
    return this.inputs[index] ?? this.fail(`input ${index} is missing.`, 'ERR_VAE_GRAPH');
  }

  given(index: number): boolean {
    return this.inputs[index] !== undefined;
  }

  shape(index: number): Shape | undefined {
    return this.inputs[index]?.shape;
  }

  elements(index: number): KnownElements | undefined {
    const name = this.node.inputs[index];
    return name === undefined || name === '' ? undefined : this.scope.elements(name);
  }

  numbers(index: number): readonly number[] | undefined {
    const elements = this.elements(index);
    return elements?.every((element) => typeof element === 'number') ? (elements as readonly number[]) : undefined;
  }

  constant(index: number): Constant | undefined {
    const name = this.node.inputs[index];
    return name === undefined || name === '' ? undefined : this.scope.constant(name);
  }

  int(name: string): number {
    return this.#expect(name, 'int') as number;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#find(name, 'ints') as readonly number[] | undefined;
  }

  float(name: string): number {
    return this.#expect(name, 'float') as number;
  }

  string(name: string): string {
    return this.#expect(name, 'string') as string;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.node.attributes, name);
  }

  attribute(name: string): Attribute | undefined {
    if (this.has(name)) return this.node.attributes[name];
    const declared = this.definition.attributes[name];
    return typeof declared === 'object' ? declared : undefined;
  }

  dtype(name: string, otherwise?: DataType): DataType {
    const code = this.#find(name, 'int') as number | undefined;
    if ((code === undefined || code === 0) && otherwise !== undefined) return otherwise;
    if (code === undefined) this.fail(`attribute "${name}" is missing.`, 'ERR_VAE_GRAPH');
    const dtype = dataTypeOf(code);
    if (dtype === undefined) {
      this.fail(
        `attribute "${name}" asks for data type ${describeDataType(code)}, which is not supported.`,
        'ERR_VAE_GRAPH',
      );
    }
    return dtype;
  }

  axis(value: number, rank: number): number {
    if (!Number.isInteger(value) || value < -rank || value >= rank) {
      this.fail(`axis ${value} lies outside [${-rank}, ${rank}).`);
    }
    return value < 0 ? value + rank : value;
  }

  subgraph(name: string, inputs: readonly (TensorType | undefined)[]): readonly TensorType[] {
    const attribute = this.attribute(name);
    if (attribute?.kind !== 'graph') this.fail(`attribute "${name}" must be a graph.`, 'ERR_VAE_GRAPH');
    return this.inferSubgraph(attribute.value, inputs, this.scope);
  }

  freshDim(): string {
    return this.scope.freshDim();
  }

  fail(message: string, code: 'ERR_VAE_GRAPH' | 'ERR_VAE_SHAPE' = 'ERR_VAE_SHAPE'): never {
    throw new VaeError(code, `${describeNode(this.node, this.opset)}: ${message}`);
  }

  #find(name: string, kind: AttributeKind): Attribute['value'] | undefined {
    const attribute = this.attribute(name);
    if (attribute === undefined) return undefined;
    if (attribute.kind !== kind) {
      this.fail(`attribute "${name}" must be of kind ${kind}, not ${attribute.kind}.`, 'ERR_VAE_GRAPH');
    }
    return attribute.value;
  }

  #expect(name: string, kind: AttributeKind): Attribute['value'] {
    return this.#find(name, kind) ?? this.fail(`attribute "${name}" is missing.`, 'ERR_VAE_GRAPH');
  }
}

/** A node as error messages call it. A node without a name is called by its first output. */
export function describeNode(node: Node, opset: number): string {
  const name = node.name !== '' ? node.name : (node.outputs[0] ?? '');
  return `Node "${printable(name)}" (${describeOperator(node.op, node.domain)}, opset ${opset})`;
}
