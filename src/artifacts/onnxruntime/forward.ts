/** The part of a training graph of ONNX Runtime that leads to its loss, in standard operators. */
import { VaeError } from '../../core/errors.js';
import { constantOf } from '../../graph/constants.js';
import type { Attributes, Graph, Node } from '../../graph/ir.js';
import { claimNames, UniqueNames } from '../../graph/names.js';
import { readsOf } from '../../graph/reads.js';

/** What one node becomes: nodes that together make its outputs. */
type Renaming = (node: Node, site: Site) => readonly Node[];

interface Site {
  readonly graph: Graph;
  readonly names: UniqueNames;
}

const standard = (node: Node, op: string, outputs: number, attributes: Attributes = node.attributes): Node => ({
  ...node,
  op,
  domain: '',
  outputs: node.outputs.slice(0, outputs),
  attributes,
});

const int = (value: number) => ({ kind: 'int', value }) as const;

function scalar({ graph, names }: Site, value: number): string {
  const name = names.unique('const');
  graph.initializers.set(name, { ...constantOf([value], 'float32', []), literal: true });
  return name;
}

/** Hendrycks & Gimpel 2016: x/2 · (1 + erf(x/√2)). The operator of that name is of a later operator set than graphs here. */
const gelu: Renaming = (node, site) => {
  const x = node.inputs[0]!;
  const step = (op: string, inputs: readonly string[], output = site.names.unique(`${node.name || 'Gelu'}_${op}`)) => ({
    op,
    domain: '',
    name: site.names.unique(op),
    inputs,
    outputs: [output],
    attributes: {},
  });
  const scaled = step('Div', [x, scalar(site, Math.SQRT2)]);
  const erf = step('Erf', [scaled.outputs[0]!]);
  const raised = step('Add', [erf.outputs[0]!, scalar(site, 1)]);
  const product = step('Mul', [x, raised.outputs[0]!]);
  return [scaled, erf, raised, product, step('Mul', [product.outputs[0]!, scalar(site, 0.5)], node.outputs[0]!)];
};

/** Forward operators that only training graphs have, by the name after their domain com.microsoft. */
const RENAMINGS: Readonly<Record<string, Renaming>> = {
  // Its fourth and fifth output are what its gradient needs.
  BatchNormInternal: (node) => [standard(node, 'BatchNormalization', 3, { ...node.attributes, training_mode: int(1) })],
  ConcatTraining: (node) => [standard(node, 'Concat', 1)],
  SplitTraining: (node) => [standard(node, 'Split', node.outputs.length)],
  LSTMTraining: (node) => [standard(node, 'LSTM', 3)],
  GRUTraining: (node) => [standard(node, 'GRU', 2)],
  Gelu: gelu,
};

/**
 * Keeps what the outputs need, and puts standard operators in the place of those that ONNX Runtime has for training
 * only. In place.
 *
 * @throws VaeError ERR_VAE_UNSUPPORTED_OPERATOR naming an operator that has no standard form here.
 */
export function keepForward(graph: Graph, outputs: readonly string[], what: string): void {
  const needed = new Set(outputs);
  const kept: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => name !== '' && needed.has(name))) continue;
    kept.unshift(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  const names = new UniqueNames();
  claimNames(graph, names);
  const site = { graph, names };
  const renamed = kept.flatMap((node) => rename(node, site, what));
  const read = new Set([...outputs, ...renamed.flatMap((node) => [...readsOf(node)])]);
  graph.nodes = renamed.map((node) => (node.op === 'BatchNormalization' ? node : withoutIdleOutputs(node, read)));
  graph.outputs = graph.outputs.filter(({ name }) => outputs.includes(name));
  graph.inputs = graph.inputs.filter(({ name }) => read.has(name));
  for (const name of [...graph.initializers.keys()]) if (!read.has(name)) graph.initializers.delete(name);
}

function rename(node: Node, site: Site, what: string): readonly Node[] {
  if (node.domain === '') return [node];
  const renaming =
    node.domain === 'com.microsoft' && Object.hasOwn(RENAMINGS, node.op) ? RENAMINGS[node.op] : undefined;
  if (renaming !== undefined) return renaming(node, site);
  throw new VaeError(
    'ERR_VAE_UNSUPPORTED_OPERATOR',
    `${what}: node "${node.name}" is ${node.domain}:${node.op}, a fused operator of ONNX Runtime's training library that has ` +
      'no standard form here. Generate the artifacts again with graph optimisations off, or from a model without it.',
  );
}

/** Outputs that only the backward part read: masks, saved statistics. */
function withoutIdleOutputs(node: Node, read: ReadonlySet<string>): Node {
  const outputs = node.outputs.map((name, index) => (index === 0 || read.has(name) ? name : ''));
  while (outputs.length > 1 && outputs[outputs.length - 1] === '') outputs.pop();
  return { ...node, outputs };
}

/** Statistics that batch normalisation carries from step to step: the value before by name, and the one after. */
export function runningStatistics(graph: Graph): Record<string, string> {
  const states: Record<string, string> = {};
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    if (op !== 'BatchNormalization' || attributes['training_mode']?.kind !== 'int') continue;
    if (attributes['training_mode'].value === 0) continue;
    for (const [before, after] of [
      [inputs[3], outputs[1]],
      [inputs[4], outputs[2]],
    ]) {
      if (before && after && graph.initializers.has(before)) states[before] = after;
    }
  }
  return states;
}

/**
 * Batch normalisation that was exported for training stands in eval graphs in a form that no runtime loads: not
 * training, and yet with statistics to give. Nothing reads them, so they go.
 */
export function mendBatchNormalization(graph: Graph, what: string): void {
  const read = new Set([
    ...graph.outputs.map(({ name }) => name),
    ...graph.nodes.flatMap((node) => [...readsOf(node)]),
  ]);
  graph.nodes = graph.nodes.map((node) => {
    if (node.op !== 'BatchNormalization' || node.domain !== '' || node.outputs.length === 1) return node;
    const mode = node.attributes['training_mode'];
    if (mode?.kind === 'int' && mode.value !== 0) return node;
    if (node.outputs.slice(1).some((name) => read.has(name))) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `${what}: BatchNormalization "${node.name}" in eval mode has three outputs, which no runtime can load, and the graph ` +
          'reads them: export the model again with training=torch.onnx.TrainingMode.EVAL for this layer.',
      );
    }
    return { ...node, outputs: node.outputs.slice(0, 1) };
  });
}

/** Whether a graph computes something else in training than when it is evaluated. */
export function trainsDifferently({ nodes }: Graph): boolean {
  return nodes.some(({ op, domain }) => domain === '' && (op === 'BatchNormalization' || op === 'Dropout'));
}
