/** Reverse-mode differentiation of an ONNX graph: the backward pass as further nodes of the same graph. */
import { VaeError } from '../core/errors.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import { describeShape } from '../graph/infer/broadcast.js';
import type { Node } from '../graph/ir.js';
import { expandTo } from './broadcast.js';
import { GradientContext } from './context.js';
import { type Block, type Blocks, expandForward } from './expand.js';
import { type BackwardRecord, KernelFinder, type KernelMark } from './kernels.js';
import { lowerSlowOperators } from './lower.js';
import { reachedFrom, readNames } from './reach.js';
import { type GradientEntry, type GradientRule, gradientEntry, noGradient } from './registry.js';
import type { DifferentiationState } from './writer.js';
import './rules/index.js';
import { fitsInto, forgetShapeTensors, isDifferentiable, isStatic } from './shapes.js';

export interface DifferentiateOptions {
  /** What to differentiate: a float value of one element, or its name. */
  readonly loss: Value | string;
  /** With respect to what: float values (inputs, initializers or results of nodes), or their names. */
  readonly parameters: readonly (Value | string)[];
  /** Names of values that count as constants: no gradient flows back through them. */
  readonly stopped?: readonly string[];
}

export interface Differentiated {
  /** Gradient of the loss by parameter name: the parameter's data type and shape. */
  readonly gradients: ReadonlyMap<string, Value>;
  /** Parameters that the loss does not depend on. Their gradients are zeros. */
  readonly unused: readonly string[];
  /** Pieces of the graph that native kernels compute faster. */
  readonly kernels: readonly KernelMark[];
}

/**
 * Adds to the builder's graph the nodes that compute the gradient of a loss.
 *
 * Backward uses what forward has computed and adds nodes only where a way leads from a parameter to
 * the loss; some forward nodes are rewritten in place (same outputs, same meaning) so that their
 * intermediate results can be shared, or because others compute the same faster. The nodes added are of the standard ONNX domain and mean the
 * same in operator sets 18 to 23.
 *
 * @throws VaeError ERR_VAE_UNSUPPORTED_OPERATOR for an operator on the way that has no rule, or a
 *   form of it that the rule does not cover (operator, opset and node are named); ERR_VAE_SHAPE
 *   where the loss has more than one element; ERR_VAE_GRAPH for unknown names and integer values.
 */
export function differentiate(builder: GraphBuilder, options: DifferentiateOptions): Differentiated {
  const loss = resolve(builder, options.loss, 'The loss');
  if (loss.shape?.some((dim) => typeof dim === 'number' && dim !== 1)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `The loss "${loss.name}" must have one element and is ${describeShape(loss.shape)}; reduce it with ReduceSum or ReduceMean.`,
    );
  }
  const parameters = options.parameters.map((parameter) => resolve(builder, parameter, 'Parameter'));
  const names = parameters.map(({ name }) => name);
  forgetShapeTensors(builder);
  const stopped = new Set(options.stopped);
  let state: DifferentiationState = { builder, reached: reachedFrom(builder, names, stopped), scalars: new Map() };
  const finder = new KernelFinder(builder, [...names, loss.name]);
  const { changed, blocks } = expandForward(state, loss.name);
  if (changed) state = { ...state, reached: reachedFrom(builder, names, stopped) };

  const backward = new BackwardPass(state, blocks);
  backward.contribute(loss, seedOf(state, loss));
  const forward = [...builder.graph.nodes];
  for (let at = forward.length - 1; at >= 0; at -= 1) backward.visit(forward[at]!);

  const gradients = new Map<string, Value>();
  const unused: string[] = [];
  const finish = new GradientContext(state, bareNode('gradients'));
  for (const parameter of parameters) {
    if (gradients.has(parameter.name)) continue;
    const gradient = backward.take(parameter.name);
    if (gradient === undefined) unused.push(parameter.name);
    gradients.set(
      parameter.name,
      gradient === undefined ? finish.zerosLike(parameter) : expandTo(finish, gradient, parameter),
    );
  }
  const kernels = finder.marks(state, backward);
  lowerSlowOperators(builder);
  return { gradients, unused, kernels };
}

class BackwardPass implements BackwardRecord {
  readonly #state: DifferentiationState;
  /** Contributions to the gradient of each value, as its users deliver them. */
  readonly #pending = new Map<string, Value[]>();

  readonly #blocks: Blocks;
  readonly #visited = new Set<Block>();
  readonly #delivered = new Map<Node, readonly (Value | undefined)[]>();

  constructor(state: DifferentiationState, blocks: Blocks) {
    this.#state = state;
    this.#blocks = blocks;
  }

  contribute(value: Value, gradient: Value): void {
    // A rule may return a plain zero for what it has put into another input's gradient.
    if (this.#state.scalars.get(gradient.name) === 0) return;
    const known = this.#pending.get(value.name);
    if (known === undefined) this.#pending.set(value.name, [gradient]);
    else known.push(gradient);
  }

  /** The gradient of a value, all of whose users have been visited. */
  take(name: string): Value | undefined {
    const contributions = this.#pending.get(name);
    if (contributions === undefined) return undefined;
    const total = sumOf(new GradientContext(this.#state, bareNode(name)), contributions);
    this.#pending.set(name, [total]);
    return total;
  }

  /** The gradients that the rule of a node gave. */
  delivered(node: Node): readonly (Value | undefined)[] | undefined {
    return this.#delivered.get(node);
  }

  total(name: string): Value | undefined {
    return this.take(name);
  }

  visit(node: Node): void {
    const block = this.#blocks.get(node);
    if (block === undefined) {
      this.#differentiate(node, gradientEntry(node.op, node.domain));
      return;
    }
    // A block is differentiated once, as the node it replaced.
    if (this.#visited.has(block)) return;
    this.#visited.add(block);
    this.#differentiate(block.node, { kind: 'rule', rule: block.gradient });
  }

  #differentiate(node: Node, entry: GradientEntry | undefined): void {
    const { builder, reached } = this.#state;
    if (!node.outputs.some((name) => this.#pending.has(name))) return;
    if (!readNames(node).some((name) => reached.has(name))) return;
    if (entry?.kind === 'none') return;
    const rule = entry?.kind === 'rule' || entry?.kind === 'expansion' ? entry.rule : undefined;
    if (rule === undefined) throw noGradient(node, builder.opset, entry);
    const context = new GradientContext(
      this.#state,
      node,
      node.outputs.map((name) => (name === '' ? undefined : this.take(name))),
    );
    this.#deliver(context, rule);
  }

  #deliver(context: GradientContext, rule: GradientRule): void {
    const node = context.node;
    const gradients = rule(context);
    this.#delivered.set(node, gradients);
    for (const [index, input] of context.inputs.entries()) {
      if (input === undefined || !context.needs(index)) continue;
      const gradient = gradients[index];
      if (gradient === undefined) {
        context.fail(
          `its rule has none for input ${index} ("${input.name}"), through which a parameter reaches the loss`,
        );
      }
      if (gradient.dtype !== input.dtype) refuseGradient(context, index, input, gradient);
      if (fitsInto(gradient.shape, input.shape)) {
        this.contribute(input, gradient);
        continue;
      }
      if (isStatic(gradient.shape) && isStatic(input.shape)) refuseGradient(context, index, input, gradient);
      // Lengths that only the run will tell: make sure of the shape then.
      this.contribute(input, expandTo(context, gradient, input));
    }
  }
}

function refuseGradient(context: GradientContext, index: number, input: Value, gradient: Value): never {
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `The gradient rule of ${context.node.op} (node "${context.node.name}") returned ${gradient.dtype} ${describeShape(gradient.shape)} ` +
      `for input ${index}, "${input.name}", which is ${input.dtype} ${describeShape(input.shape)}; ` +
      'a gradient has the type of its input and a shape that broadcasts to it.',
  );
}

/** Narrow contributions first, so that broadcasting happens once. */
function sumOf(context: GradientContext, contributions: readonly Value[]): Value {
  const [first, ...rest] = [...contributions].sort((a, b) => breadth(a) - breadth(b));
  return rest.reduce((sum, next) => context.add(sum, next), first!);
}

/** How many axes of a value are longer than one. */
function breadth(value: Value): number {
  return value.shape?.filter((dim) => dim !== 1).length ?? Number.POSITIVE_INFINITY;
}

function seedOf(state: DifferentiationState, loss: Value): Value {
  return new GradientContext(state, bareNode(loss.name)).scalar(1, loss.dtype);
}

/** Lends its name to nodes that belong to no forward node. */
function bareNode(name: string): Node {
  return { op: '', domain: '', name, inputs: [], outputs: [], attributes: {} };
}

function resolve(builder: GraphBuilder, given: Value | string, what: string): Value {
  const name = typeof given === 'string' ? given : given.name;
  if (!builder.graph.types.has(name)) {
    throw new VaeError('ERR_VAE_GRAPH', `${what} "${name}" is not a value of the graph "${builder.graph.name}".`);
  }
  const value = builder.value(name);
  if (!isDifferentiable(value.dtype)) {
    throw new VaeError('ERR_VAE_GRAPH', `${what} "${name}" is ${value.dtype}; only float values have gradients.`);
  }
  return value;
}
