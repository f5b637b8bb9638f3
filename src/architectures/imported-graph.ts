/** A graph of someone else's making put into one of ours: its nodes, its weights as parameters. */
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import type { Value } from '../graph/builder.js';
import { float32Of } from '../graph/constants.js';
import { type Constant, type Graph, type Model, type Node, WORKING_OPSET } from '../graph/ir.js';
import { readsOf } from '../graph/reads.js';
import { raisedModel } from '../graph/upgrade.js';
import type { Scope } from '../nn/scope.js';

/** The graphs of an imported model, in the opsets that they came in. Each has one input. */
export interface ImportedGraphs {
  readonly encoder: Model;
  readonly decoder: Model;
}

/** The operator set of graphs that hold both halves: the later of theirs, and one that can be differentiated. */
export function opsetOf({ encoder, decoder }: ImportedGraphs): number {
  return Math.max(WORKING_OPSET, ...[encoder, decoder].map(({ opsets }) => opsets.get('') ?? WORKING_OPSET));
}

/** Operators whose weights are weights even with one element; elsewhere that is a number of the formula. */
const LAYERS = /^(Conv|ConvTranspose|Gemm|PRelu|.*Normalization)$/;

/** Inputs from this one on say how an operator works, and are no weights. */
const SETTINGS_FROM: Readonly<Record<string, number>> = {
  BatchNormalization: 3,
  Clip: 1,
  DequantizeLinear: 1,
  OneHot: 1,
  Pad: 1,
  QuantizeLinear: 1,
  Resize: 1,
  Upsample: 1,
};

/**
 * Initializers that may be trained: float32 arrays that are not literals of the formula, nor settings of
 * an operator such as the scales of Resize or running statistics, nor the ones and zeros of the
 * InstanceNormalization that exporters write for the statistics of a group normalisation.
 */
export function trainableInitializers({ graph }: Model): string[] {
  const fixed = new Set(graph.nodes.flatMap((node) => fixedInputs(node, graph)));
  const weights = new Set(graph.nodes.filter(({ op }) => LAYERS.test(op)).flatMap(({ inputs }) => inputs));
  return [...graph.initializers]
    .filter(([name, { dtype, dims, literal }]) => {
      const array = elementCount(dims) > 1 || (dims.length > 0 && weights.has(name));
      return dtype === 'float32' && array && literal !== true && !fixed.has(name);
    })
    .map(([name]) => name);
}

function fixedInputs({ op, inputs }: Node, { nodes, initializers }: Graph): readonly string[] {
  if (op !== 'InstanceNormalization') return inputs.slice(SETTINGS_FROM[op] ?? inputs.length);
  const [x, scale, shift] = inputs as [string, string, string];
  const grouped = nodes.some(({ op: maker, outputs }) => maker === 'Reshape' && outputs.includes(x));
  const holds = (name: string, value: number): boolean => {
    const constant = initializers.get(name);
    return constant?.dtype === 'float32' && float32Of(constant).every((element) => element === value);
  };
  return grouped && holds(scale, 1) && holds(shift, 0) ? [scale, shift] : [];
}

/** Operators that move values about and leave each as it is. */
const MOVES = new Set(['Identity', 'Transpose', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);

/** What likelihoods take before an activation that decoders end in, and what then stands in its place. */
const ENDINGS: Readonly<Record<string, { readonly op: string; readonly instead: string }>> = {
  bernoulli: { op: 'Sigmoid', instead: 'Identity' },
  'continuous-bernoulli': { op: 'Sigmoid', instead: 'Identity' },
  // The logarithms of probabilities are as good as the logits, along whatever axis.
  categorical: { op: 'Softmax', instead: 'LogSoftmax' },
};

/**
 * The activation of this kind that the graph's output ends in; behind it there may be a change of layout, as
 * exporters write it for data with its channels last.
 */
function lastActivation({ graph }: Model, output: string, op: string): Node | undefined {
  const makerOf = (name: string): Node | undefined => graph.nodes.find(({ outputs }) => outputs.includes(name));
  let maker = makerOf(output);
  while (maker !== undefined && MOVES.has(maker.op)) maker = makerOf(maker.inputs[0]!);
  return maker?.op === op ? maker : undefined;
}

/** What a likelihood would be about if it were before the activation that the decoder ends in. */
export function valueBeforeEnd(model: Model, output: string, likelihood: string): string | undefined {
  const ending = ENDINGS[likelihood];
  return ending && lastActivation(model, output, ending.op)?.inputs[0];
}

/** The graph with what goes into that activation in place of what comes out of it. */
export function withoutEnd(model: Model, output: string, before: string): Model {
  for (const { op, instead } of Object.values(ENDINGS)) {
    const last = lastActivation(model, output, op);
    if (last === undefined || last.inputs[0] !== before) continue;
    const attributes = instead === 'Identity' ? {} : last.attributes;
    const nodes = model.graph.nodes.map((node) => (node === last ? { ...node, op: instead, attributes } : node));
    return { ...model, graph: { ...model.graph, nodes } };
  }
  return model;
}

/** Raised forms of a graph: it is put into many others. */
const raisedForms = new WeakMap<Model, Model>();

function raisedTo(model: Model, opset: number): Model {
  let raised = raisedForms.get(model);
  if (raised?.opsets.get('') !== opset) {
    raised = raisedModel(model, opset);
    raisedForms.set(model, raised);
  }
  return raised;
}

/** The graph's initial weight, float32. */
export function importedWeight({ graph }: Model, name: string): Float32Array {
  return float32Of(graph.initializers.get(name)!);
}

/**
 * Repeats the nodes that lead to the wanted values with `input` in place of the graph's input, and gives those values.
 * Initializers named in `trainable` become parameters of the scope under their own names, all others
 * constants.
 */
export function inlineGraph(
  scope: Scope,
  model: Model,
  input: Value,
  outputs: readonly string[],
  trainable: ReadonlySet<string>,
): Value[] {
  const { g } = scope;
  const { graph, opsets } = raisedTo(model, g.opset);
  for (const [domain, version] of opsets) {
    if (domain !== '') g.model.opsets.set(domain, Math.max(version, g.model.opsets.get(domain) ?? 0));
  }
  const values = new Map<string, Value>([[graph.inputs[0]!.name, input]]);
  const constant = (name: string, held: Constant): Value =>
    trainable.has(name)
      ? scope.parameter(name, held.dims, { kind: 'constant', value: 0 }, { decay: held.dims.length > 1 })
      : g.initializer(g.unique(scope.name(name)), held);
  const resolve = (name: string): string => {
    if (name === '') return '';
    const known = values.get(name);
    if (known !== undefined) return known.name;
    const held = graph.initializers.get(name);
    if (held === undefined)
      throw new VaeError('ERR_VAE_GRAPH', `The graph "${graph.name}" reads "${name}", which nothing makes.`);
    const value = constant(name, held);
    values.set(name, value);
    return value.name;
  };
  for (const node of leadingTo(graph, outputs)) {
    refuseSubgraphs(node);
    const renamed: Node = {
      ...node,
      name: g.unique(scope.name(node.name || node.op)),
      inputs: node.inputs.map(resolve),
      outputs: node.outputs.map((name) => (name === '' ? '' : g.unique(scope.name(name)))),
    };
    const made = g.append(renamed);
    for (const [index, name] of node.outputs.entries()) if (name !== '') values.set(name, made[index]!);
  }
  return outputs.map((name) => g.value(resolve(name)));
}

/** The nodes that values are made of, in order. */
function leadingTo({ nodes }: Graph, values: readonly string[]): Node[] {
  const wanted = new Set(values);
  const leading: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    leading.push(node);
    for (const name of readsOf(node)) wanted.add(name);
  }
  return leading.reverse();
}

function refuseSubgraphs({ op, name, attributes }: Node): void {
  if (!Object.values(attributes).some(({ kind }) => kind === 'graph')) return;
  throw new VaeError(
    'ERR_VAE_UNSUPPORTED_OPERATOR',
    `Node "${name}" (${op}) holds a graph of its own; a model with control flow that depends on the data cannot be trained. ` +
      'Export it without.',
  );
}
