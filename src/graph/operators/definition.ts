/** What the operator table says about one operator: enough to build it, check it and infer its types. */
import type { DataType } from '../../core/dtype.js';
import type { Attribute, AttributeKind, Constant, Dim, Node, Shape, TensorType } from '../ir.js';

/**
 * What is known about the elements of a small tensor while types are inferred: numbers, symbolic
 * lengths, or undefined where only the run will tell, row by row. Shape arithmetic rests on it.
 */
export type KnownElements = readonly (Dim | undefined)[];

/** What an operator sees when its outputs' types are inferred. */
export interface InferenceContext {
  readonly node: Node;
  readonly opset: number;
  /** Types of the inputs; undefined for omitted ones. */
  readonly inputs: readonly (TensorType | undefined)[];
  /** Type of input `index`; an error where it is omitted. */
  input(index: number): TensorType;
  /** Whether input `index` is given. */
  given(index: number): boolean;
  /** Shape of input `index`, or undefined where it is omitted or of unknown rank. */
  shape(index: number): Shape | undefined;
  /** Elements of input `index` where they are known (constants, shapes and arithmetic on them). */
  elements(index: number): KnownElements | undefined;
  /** Elements of input `index` where all of them are known numbers. */
  numbers(index: number): readonly number[] | undefined;
  /** The constant that input `index` is, if it is one. */
  constant(index: number): Constant | undefined;
  /** Attribute value, or the operator's default. */
  int(name: string): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string): number;
  string(name: string): string;
  has(name: string): boolean;
  attribute(name: string): Attribute | undefined;
  /** The data type an attribute names by its number, or `otherwise` where it is absent (or zero). */
  dtype(name: string, otherwise?: DataType): DataType;
  /** An axis counted from the front. Stops where it lies outside [-rank, rank). */
  axis(value: number, rank: number): number;
  /** Types of a subgraph's outputs, given those of its inputs. */
  subgraph(name: string, inputs: readonly (TensorType | undefined)[]): readonly TensorType[];
  /** A symbolic length that no other value has. */
  freshDim(): string;
  /** Stops with ERR_VAE_GRAPH or ERR_VAE_SHAPE naming operator, opset and node. */
  fail(message: string, code?: 'ERR_VAE_GRAPH' | 'ERR_VAE_SHAPE'): never;
}

/** One operator: the form it has from `since` until the next definition of the same name. */
export interface OperatorDefinition {
  readonly name: string;
  /** Empty for the standard domain. */
  readonly domain?: string;
  /** First operator set with this form; forms older than the lowest supported set are given as that. */
  readonly since: number;
  /** Fewest and most inputs; Infinity for variadic ones. */
  readonly inputs: readonly [min: number, max: number];
  readonly outputs: readonly [min: number, max: number];
  /** Kind of each attribute and its default where ONNX gives one. */
  readonly attributes: Readonly<Record<string, AttributeKind | Attribute>>;
  /** Types of the outputs, at least as many as the node names. */
  infer(context: InferenceContext): readonly TensorType[];
  /** Elements of the first output where the inputs' elements tell them. */
  propagate?(context: InferenceContext): KnownElements | undefined;
}

export type { Attribute, AttributeKind };
