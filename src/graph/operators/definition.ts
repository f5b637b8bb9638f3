import type { Attribute, AttributeKind, Attributes, Dim, Node, TensorType } from '../ir.js';

/**
 * What is known about the elements of a small integer tensor while types are inferred: numbers,
 * symbolic lengths, or undefined where only the run will tell. Shape arithmetic rests on it.
 */
export type KnownElements = readonly (Dim | undefined)[];

/** What an operator sees when its outputs' types are inferred. */
export interface InferenceContext {
  readonly node: Node;
  readonly opset: number;
  /** Types of the inputs; undefined for omitted ones. */
  readonly inputs: readonly (TensorType | undefined)[];
  /** Elements of input `index` where they are known (constants, shapes and arithmetic on them). */
  elements(index: number): KnownElements | undefined;
  /** Attribute value, or the operator's default. */
  int(name: string): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string): number;
  string(name: string): string;
  has(name: string): boolean;
  attribute(name: string): Attribute | undefined;
  /** A symbolic length that no other value has. */
  freshDim(): string;
  /** Stops with ERR_VAE_GRAPH or ERR_VAE_SHAPE naming operator, opset and node. */
  fail(message: string): never;
}

/** One operator of the standard domain: enough to build, check and infer it. */
export interface OperatorDefinition {
  readonly name: string;
  /** First operator set in which this form exists, and the last when it was replaced. */
  readonly since: number;
  /** Fewest and most inputs; Infinity for variadic ones. */
  readonly inputs: readonly [min: number, max: number];
  readonly outputs: readonly [min: number, max: number];
  /** Kind of each attribute and its default where ONNX gives one. */
  readonly attributes: Readonly<Record<string, AttributeKind | Attribute>>;
  /** Types of the outputs. */
  infer(context: InferenceContext): readonly TensorType[];
  /** Elements of the first output where the inputs' elements tell them. */
  propagate?(context: InferenceContext): KnownElements | undefined;
}

export type { Attribute, AttributeKind, Attributes, Node, TensorType };
