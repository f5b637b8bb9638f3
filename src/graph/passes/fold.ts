/** Shape arithmetic and small constants worked out before the graph runs. */
import { constantOf } from '../constants.js';
import { inferModel } from '../infer/infer-model.js';
import type { Constant, Dim, Graph, Model, Node, Shape } from '../ir.js';
import { claimNames, UniqueNames } from '../names.js';
import type { KnownElements } from '../operators/definition.js';
import { readsOf } from '../reads.js';

export interface FoldOptions {
  /**
   * Whether an initializer is a parameter, which may change and so must not be worked into
   * constants. Default: float tensors that are not literals are.
   */
  readonly isParameter?: (name: string, constant: Constant) => boolean;
}

/** Operators that ask only for a tensor's shape. */
const SHAPE_ONLY = new Set(['Shape', 'Size']);

/**
 * Replaces values that type inference worked out by constants, and the shapes of Reshape by constant
 * ones where their lengths are known or copied from the input. In place; returns how many nodes were
 * replaced. Nodes that nothing needs any more are left to removeDeadNodes().
 */
export function foldConstants(model: Model, options: FoldOptions = {}): number {
  const { graph } = model;
  const { known } = inferModel(model, new Map(graph.types));
  const variable = dependentOnParameters(graph, options.isParameter ?? isFloatParameter);
  const names = new UniqueNames();
  claimNames(graph, names);
  const shapes = new ShapeConstants(graph, names);
  let folded = 0;
  const kept: Node[] = [];
  for (const node of graph.nodes) {
    const constant = variable.has(node.outputs[0] ?? '') ? undefined : foldedValue(node, graph, known);
    if (constant !== undefined) {
      graph.initializers.set(node.outputs[0]!, constant);
      folded += 1;
      continue;
    }
    const simpler =
      node.op === 'Reshape' && node.domain === '' ? constantReshape(node, graph, known, shapes) : undefined;
    if (simpler !== undefined) folded += 1;
    kept.push(simpler ?? node);
  }
  graph.nodes = kept;
  return folded;
}

function isFloatParameter(_: string, { dtype, literal }: Constant): boolean {
  return literal !== true && (dtype.startsWith('float') || dtype === 'bfloat16');
}

/** Names of all values whose elements depend on a parameter. */
function dependentOnParameters(graph: Graph, isParameter: NonNullable<FoldOptions['isParameter']>): Set<string> {
  const variable = new Set<string>();
  for (const [name, constant] of graph.initializers) if (isParameter(name, constant)) variable.add(name);
  for (const node of graph.nodes) {
    if (SHAPE_ONLY.has(node.op) && node.domain === '') continue;
    for (const name of readsOf(node)) {
      if (!variable.has(name)) continue;
      for (const output of node.outputs) variable.add(output);
      break;
    }
  }
  return variable;
}

function foldedValue(node: Node, graph: Graph, known: ReadonlyMap<string, KnownElements>): Constant | undefined {
  const [name] = node.outputs;
  if (!name || node.outputs.length !== 1) return undefined;
  const elements = known.get(name);
  const type = graph.types.get(name);
  if (elements === undefined || type?.shape === undefined) return undefined;
  if (!elements.every((element) => typeof element === 'number')) return undefined;
  if (!type.shape.every((dim) => typeof dim === 'number')) return undefined;
  return { ...constantOf(elements as number[], type.dtype, type.shape as number[]), literal: true };
}

/** Constant shapes, each stored once. */
class ShapeConstants {
  readonly #made = new Map<string, string>();

  constructor(
    private readonly graph: Graph,
    private readonly names: UniqueNames,
  ) {}

  name(shape: readonly number[]): string {
    const key = shape.join(',');
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const name = this.names.unique('shape');
    const constant: Constant = { ...constantOf(shape, 'int64'), literal: true };
    this.graph.initializers.set(name, constant);
    this.graph.types.set(name, { dtype: constant.dtype, shape: constant.dims });
    this.#made.set(key, name);
    return name;
  }
}

/** A Reshape with a constant shape: 0 copies a length of the input, -1 stands for the one that is left. */
function constantReshape(
  node: Node,
  graph: Graph,
  known: ReadonlyMap<string, KnownElements>,
  shapes: ShapeConstants,
): Node | undefined {
  const [data, shapeName] = node.inputs;
  const elements = known.get(shapeName ?? '');
  const allowZero = node.attributes['allowzero'];
  if (elements === undefined || graph.initializers.has(shapeName!)) return undefined;
  if (allowZero?.kind === 'int' && allowZero.value !== 0) return undefined;
  const target = writeShape(elements, graph.types.get(data!)?.shape);
  return target && { ...node, inputs: [data!, shapes.name(target)] };
}

function writeShape(elements: KnownElements, input: Shape | undefined): number[] | undefined {
  const target = elements.map((element: Dim | undefined, axis): number | undefined => {
    if (typeof element === 'number') return element;
    return element !== undefined && element === input?.[axis] ? 0 : undefined;
  });
  const open = target.filter((element) => element === undefined).length;
  // A zero among the lengths would leave what -1 stands for undetermined.
  const determined = !elements.some((element) => element === 0 || element === -1);
  if (open > 1 || (open === 1 && !determined)) return undefined;
  return target.map((element) => element ?? -1);
}
