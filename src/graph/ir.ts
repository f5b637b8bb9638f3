/**
 * The ONNX graph as this package holds it in memory: plain data, close to the ONNX messages but
 * with names resolved to types. `proto/` reads and writes it, `builder.ts` makes it, `infer/` fills
 * in types, `verify.ts` checks it.
 */
import type { DataType } from '../core/dtype.js';

/** A length, or the name of a length that is known only when the graph runs. */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** `shape` is undefined where even the rank is not known. */
export interface TensorType {
  readonly dtype: DataType;
  readonly shape: Shape | undefined;
}

export interface ValueInfo extends TensorType {
  readonly name: string;
}

/** Bytes of a tensor kept in a file beside the model, read only when asked for. */
export interface ExternalData {
  /** Absolute path, already confined to the model's folder. */
  readonly path: string;
  readonly offset: number;
  readonly byteLength: number;
  /** What the file looked like when the model was read, so that a later change is noticed. */
  readonly stamp: string;
}

/** A constant tensor: raw little-endian elements, row-major. Strings are kept apart. */
export interface Constant {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: Uint8Array | ExternalData;
  readonly strings?: readonly string[];
  /**
   * Set for a number of the formula (a shape, an axis, a factor), as against a parameter, which may
   * be trained or replaced. Files keep literals as Constant nodes and parameters as initializers.
   */
  readonly literal?: true;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Constant }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] };

export type AttributeKind = Attribute['kind'];
export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly op: string;
  /** '' is the standard ONNX domain. */
  readonly domain: string;
  readonly name: string;
  /** '' marks an omitted optional input. */
  readonly inputs: readonly string[];
  /** '' marks an unwanted optional output. */
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** Nodes are in topological order. */
export interface Graph {
  name: string;
  inputs: ValueInfo[];
  outputs: ValueInfo[];
  initializers: Map<string, Constant>;
  nodes: Node[];
  /** Types of every value that inference could tell, inputs and initializers included. */
  types: Map<string, TensorType>;
}

export interface Model {
  irVersion: number;
  /** Operator-set version by domain; '' is the standard domain. */
  opsets: Map<string, number>;
  producer: string;
  /** Free text by key, kept in the file's metadata_props. */
  metadata: Map<string, string>;
  graph: Graph;
}

/**
 * The operator set of graphs made here, and the lowest one that graphs are differentiated in. A graph that came
 * with a later one is gone on with in that.
 */
export const WORKING_OPSET = 18;
export const LOWEST_INPUT_OPSET = 13;
export const HIGHEST_INPUT_OPSET = 26;

/** The version of the file format that came with an operator set; checkers refuse an older one beside it. */
export function irVersionOf(opset: number): number {
  if (opset >= 25) return 13;
  if (opset >= 24) return 12;
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  return opset >= 19 ? 9 : 8;
}
