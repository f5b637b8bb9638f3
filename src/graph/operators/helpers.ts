/** Small words in which the operator tables are written. */
import type { DataType } from '../../core/dtype.js';
import { broadcastShapes, describeShape } from '../infer/broadcast.js';
import { type Dim, LOWEST_INPUT_OPSET, type Shape, type TensorType } from '../ir.js';
import type { Attribute, AttributeKind, InferenceContext, KnownElements, OperatorDefinition } from './definition.js';

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value: Math.fround(value) });
export const string = (value: string): Attribute => ({ kind: 'string', value });
export const ints = (...value: number[]): Attribute => ({ kind: 'ints', value });

/** Groups of element types that operators accept. */
const CATEGORIES = {
  float: ['float32', 'float16', 'float64', 'bfloat16'],
  integer: ['int64', 'int32', 'int16', 'int8', 'uint64', 'uint32', 'uint16', 'uint8'],
  signed: ['float32', 'float16', 'float64', 'bfloat16', 'int64', 'int32', 'int16', 'int8'],
  number: [
    'float32',
    'float16',
    'float64',
    'bfloat16',
    'int64',
    'int32',
    'int16',
    'int8',
    'uint64',
    'uint32',
    'uint16',
    'uint8',
  ],
  index: ['int64', 'int32'],
  byte: ['uint8', 'int8'],
  bool: ['bool'],
} as const satisfies Record<string, readonly DataType[]>;
export type Category = keyof typeof CATEGORIES | 'any';

export interface Definition {
  readonly since?: number;
  readonly inputs?: number | readonly [number, number];
  readonly outputs?: number | readonly [number, number];
  readonly attributes?: Readonly<Record<string, AttributeKind | Attribute>>;
  infer(context: InferenceContext): readonly TensorType[];
  propagate?(context: InferenceContext): KnownElements | undefined;
}

/** One operator; by default one input, one output, no attributes and a form older than every supported opset. */
export function define(name: string, definition: Definition): OperatorDefinition {
  const { inputs = 1, outputs = 1, since = LOWEST_INPUT_OPSET, attributes = {} } = definition;
  const { propagate } = definition;
  return {
    name,
    since,
    inputs: typeof inputs === 'number' ? [inputs, inputs] : inputs,
    outputs: typeof outputs === 'number' ? [outputs, outputs] : outputs,
    attributes,
    infer: definition.infer,
    ...(propagate === undefined ? {} : { propagate }),
  };
}

/** Several operators that differ in nothing but their name. */
export function defineAll(names: readonly string[], definition: Definition): OperatorDefinition[] {
  return names.map((name) => define(name, definition));
}

export function tensor(dtype: DataType, shape: Shape | undefined): TensorType {
  return { dtype, shape };
}

/** The element type of an input that must belong to a group. */
export function expectType(context: InferenceContext, index: number, category: Category): DataType {
  const { dtype } = context.input(index);
  if (category !== 'any' && !(CATEGORIES[category] as readonly DataType[]).includes(dtype)) {
    context.fail(`input ${index} is of type ${dtype}; it takes ${CATEGORIES[category].join(', ')}.`);
  }
  return dtype;
}

/** The element type that the given ones of these inputs share. */
export function sameType(context: InferenceContext, indices: readonly number[], category: Category = 'any'): DataType {
  let common: DataType | undefined;
  for (const index of indices) {
    if (!context.given(index)) continue;
    const dtype = expectType(context, index, category);
    if (common !== undefined && dtype !== common) {
      context.fail(`its inputs must be of one type and are of ${common} and ${dtype}; put a Cast before one of them.`);
    }
    common = dtype;
  }
  return common ?? context.fail('all its inputs were left out.', 'ERR_VAE_GRAPH');
}

/** Broadcast shape of these inputs; stops where they conflict. */
export function broadcastInputs(context: InferenceContext, indices: readonly number[]): Shape | undefined {
  return broadcastOrFail(
    context,
    indices.filter((index) => context.given(index)).map((index) => context.shape(index)),
  );
}

export function broadcastOrFail(context: InferenceContext, shapes: readonly (Shape | undefined)[]): Dim[] | undefined {
  const shape = broadcastShapes(shapes, () => context.freshDim());
  if (shape === null) {
    context.fail(`the shapes ${shapes.map(describeShape).join(' and ')} cannot be broadcast to one.`);
  }
  return shape;
}

/** The shape of an input that must have this rank; undefined where its rank is unknown. */
export function expectRank(context: InferenceContext, index: number, fewest: number, most = fewest): Shape | undefined {
  const shape = context.shape(index);
  if (shape !== undefined && (shape.length < fewest || shape.length > most)) {
    const range =
      fewest === most ? `${fewest}` : most === Number.POSITIVE_INFINITY ? `${fewest} or more` : `${fewest} to ${most}`;
    context.fail(`input ${index} has shape ${describeShape(shape)}; it takes ${range} dimensions.`);
  }
  return shape;
}

/** Two lengths that must be the same: the one that says more. Stops where they are different numbers. */
export function unify(context: InferenceContext, left: Dim, right: Dim, what: string): Dim {
  if (left === right) return left;
  if (typeof left === 'number' && typeof right === 'number')
    context.fail(`${what} must agree and are ${left} and ${right}.`);
  return typeof left === 'number' ? left : right;
}

/** Two shapes that must be the same. */
export function unifyShapes(
  context: InferenceContext,
  left: Shape | undefined,
  right: Shape | undefined,
  what: string,
): Shape | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  if (left.length !== right.length) {
    context.fail(`${what} must have the same rank and are ${describeShape(left)} and ${describeShape(right)}.`);
  }
  return left.map((dim, axis) => unify(context, dim, right[axis]!, what));
}

/** As many unknown lengths. */
export function freshShape(context: InferenceContext, rank: number): Dim[] {
  return Array.from({ length: rank }, () => context.freshDim());
}

/** The number of elements of a one-dimensional input where it is known, such as a list of axes. */
export function lengthOf(context: InferenceContext, index: number): number | undefined {
  const known = context.elements(index);
  if (known !== undefined) return known.length;
  const dim = context.shape(index)?.[0];
  return typeof dim === 'number' ? dim : undefined;
}

/** Indices of all inputs. */
export function allInputs(context: InferenceContext): number[] {
  return context.inputs.map((_, index) => index);
}

/** An inference rule: the type of one input as it is. */
export function sameAs(index = 0, category: Category = 'any'): Definition['infer'] {
  return (context) => {
    expectType(context, index, category);
    return [context.input(index)];
  };
}
