/** Control flow: operators that hold graphs. */
import type { Dim, Shape, TensorType } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import { define, expectType, tensor } from './helpers.js';

/** A type that covers both: unknown where they differ. */
function join(context: InferenceContext, left: TensorType, right: TensorType): TensorType {
  if (left.dtype !== right.dtype) {
    context.fail(`its branches give different types, ${left.dtype} and ${right.dtype}.`);
  }
  const { shape: a } = left;
  const { shape: b } = right;
  if (a === undefined || b === undefined || a.length !== b.length) return tensor(left.dtype, undefined);
  return tensor(
    left.dtype,
    a.map((dim, axis): Dim => (dim === b[axis] ? dim : context.freshDim())),
  );
}

function branches(context: InferenceContext): readonly TensorType[] {
  expectType(context, 0, 'bool');
  const condition = context.numbers(0)?.[0];
  // The branch that never runs need not even be valid for the shapes at hand.
  if (condition !== undefined) return context.subgraph(condition === 0 ? 'else_branch' : 'then_branch', []);
  const yes = context.subgraph('then_branch', []);
  const no = context.subgraph('else_branch', []);
  if (yes.length !== context.node.outputs.length || no.length !== yes.length) {
    context.fail(
      `has ${context.node.outputs.length} outputs and branches of ${yes.length} and ${no.length}.`,
      'ERR_VAE_GRAPH',
    );
  }
  return yes.map((type, index) => join(context, type, no[index]!));
}

/**
 * Carried values may change their shape from turn to turn. Where the first turn keeps a shape, every
 * turn does; where one does not, all are inferred once more with unknown shapes.
 */
function loop(context: InferenceContext): readonly TensorType[] {
  const turn = [tensor('int64', []), tensor('bool', [])];
  const initial = context.inputs.slice(2);
  let results = context.subgraph('body', [...turn, ...initial]).slice(1);
  const kept = initial.every((type, index) => type !== undefined && sameShape(type.shape, results[index]?.shape));
  if (!kept) {
    const loose = initial.map((type) => type && tensor(type.dtype, undefined));
    results = context
      .subgraph('body', [...turn, ...loose])
      .slice(1)
      .map((type, index) => (index < loose.length ? tensor(type.dtype, undefined) : type));
  }
  return results.map((type, index) => {
    if (index < initial.length) return type;
    return tensor(type.dtype, type.shape && [context.freshDim(), ...type.shape]);
  });
}

function sameShape(left: Shape | undefined, right: Shape | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  return left.length === right.length && left.every((dim, axis) => dim === right[axis]);
}

function scan(context: InferenceContext): readonly TensorType[] {
  const scanned = context.int('num_scan_inputs');
  const states = context.inputs.length - scanned;
  if (scanned < 1 || states < 0)
    context.fail(`num_scan_inputs is ${scanned} with ${context.inputs.length} inputs.`, 'ERR_VAE_GRAPH');
  const inputAxes = context.ints('scan_input_axes');
  const outputAxes = context.ints('scan_output_axes');
  let turns: Dim | undefined;
  const given = context.inputs.map((type, index) => {
    if (type === undefined || index < states) return type;
    const { shape } = type;
    if (shape === undefined) return type;
    const axis = context.axis(inputAxes?.[index - states] ?? 0, shape.length);
    turns ??= shape[axis];
    return tensor(
      type.dtype,
      shape.filter((_, at) => at !== axis),
    );
  });
  return context.subgraph('body', given).map((type, index) => {
    if (index < states) return type;
    if (type.shape === undefined) return type;
    const axis = context.axis(outputAxes?.[index - states] ?? 0, type.shape.length + 1);
    const shape: Shape = [...type.shape.slice(0, axis), turns ?? context.freshDim(), ...type.shape.slice(axis)];
    return tensor(type.dtype, shape);
  });
}

export const CONTROL: readonly OperatorDefinition[] = [
  define('If', {
    inputs: 1,
    outputs: [1, Number.POSITIVE_INFINITY],
    attributes: { else_branch: 'graph', then_branch: 'graph' },
    infer: branches,
  }),
  define('Loop', {
    inputs: [2, Number.POSITIVE_INFINITY],
    outputs: [1, Number.POSITIVE_INFINITY],
    attributes: { body: 'graph' },
    infer: loop,
  }),
  define('Scan', {
    inputs: [1, Number.POSITIVE_INFINITY],
    outputs: [1, Number.POSITIVE_INFINITY],
    attributes: {
      body: 'graph',
      num_scan_inputs: 'int',
      scan_input_axes: 'ints',
      scan_input_directions: 'ints',
      scan_output_axes: 'ints',
      scan_output_directions: 'ints',
    },
    infer: scan,
  }),
];
