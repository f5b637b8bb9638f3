/**
 * Training graphs as the addon runs them. What is written to files is of standard operators; its metadata
 * says which pieces a native kernel computes faster (grad/kernels.ts). Here those pieces become operators
 * of the domain `node_vae`, which the addon registers for its own sessions, and the nodes that nothing reads
 * any more go.
 */
import { z } from 'zod';
import type { KernelMark } from '../grad/kernels.js';
import type { Attribute, Graph, Model, Node } from '../graph/ir.js';
import { removeDeadNodes } from '../graph/passes/dead-nodes.js';
import { topologicalOrder } from '../graph/topological-order.js';

/** The addon's domain; never in a file. */
export const KERNEL_DOMAIN = 'node_vae';
const KEY = 'node-vae.kernels';

const marksSchema = z.array(
  z.object({
    op: z.enum(['Conv', 'ConvTranspose', 'ConvWeightGradient', 'GroupNorm', 'GroupNormGradient']),
    inputs: z.array(z.string()),
    outputs: z.array(z.string()),
    attributes: z.record(z.string(), z.union([z.number(), z.array(z.int())])),
  }),
);

/** Describes the kernels beside a graph. */
export function writeKernelMarks(model: Model, marks: readonly KernelMark[]): void {
  if (marks.length > 0) model.metadata.set(KEY, JSON.stringify(marks));
}

/** Marks that cannot be read are none: the standard graph says all that must be known. */
function readKernelMarks(model: Model): readonly KernelMark[] {
  const text = model.metadata.get(KEY);
  if (text === undefined) return [];
  try {
    return marksSchema.safeParse(JSON.parse(text)).data ?? [];
  } catch {
    return [];
  }
}

/**
 * The same graph with native kernels in place of the pieces that its metadata names; the model given is not
 * changed. A mark that does not fit the graph, because something has changed it since, is passed over.
 */
export function withNativeKernels(model: Model): Model {
  const marks = readKernelMarks(model);
  if (marks.length === 0) return model;
  const { graph } = model;
  const nodes = [...graph.nodes];
  const types = new Map(graph.types);
  const makers = new Map<string, number>();
  for (const [index, node] of nodes.entries())
    for (const name of node.outputs) if (name !== '') makers.set(name, index);
  const replaced = new Set<string>();
  const kernels = new Map<number, Node[]>();
  for (const mark of marks) {
    const stands = mark.outputs.filter((name) => makers.has(name));
    const fits =
      stands.length > 0 &&
      mark.inputs.every((name) => name === '' || types.has(name)) &&
      mark.outputs.every((name) => name === '' || (!replaced.has(name) && (makers.has(name) || !types.has(name))));
    if (!fits) continue;
    for (const name of stands) replaced.add(name);
    for (const name of mark.outputs) if (name !== '' && !types.has(name)) types.set(name, statisticsType(graph, mark));
    const at = Math.min(...stands.map((name) => makers.get(name)!));
    kernels.set(at, [...(kernels.get(at) ?? []), kernelNode(mark, `kernel ${stands[0]}`)]);
  }
  const own = (name: string): string => (replaced.has(name) ? `${name}/standard` : name);
  const rewritten = nodes.flatMap((node, index) => [
    ...(kernels.get(index) ?? []),
    node.outputs.some((name) => replaced.has(name)) ? { ...node, outputs: node.outputs.map(own) } : node,
  ]);
  for (const name of replaced) types.set(own(name), types.get(name)!);
  const lowered: Model = {
    ...model,
    opsets: new Map([...model.opsets, [KERNEL_DOMAIN, 1]]),
    metadata: new Map([...model.metadata].filter(([key]) => key !== KEY)),
    graph: { ...graph, nodes: rewritten, types, initializers: new Map(graph.initializers) },
  };
  lowered.graph.nodes = topologicalOrder(lowered.graph);
  removeDeadNodes(lowered);
  return lowered;
}

/** Mean or deviation of each group: all that kernels make beside the graph's own values. */
function statisticsType(
  graph: Graph,
  { inputs, attributes }: KernelMark,
): { dtype: 'float32'; shape: (number | string)[] } {
  const batch = graph.types.get(inputs[0]!)?.shape?.[0] ?? 'groups_batch';
  return { dtype: 'float32', shape: [batch, attributes['groups'] as number] };
}

function kernelNode({ op, inputs, outputs, attributes }: KernelMark, name: string): Node {
  const encoded = Object.entries(attributes).map(([key, value]): [string, Attribute] => {
    if (typeof value !== 'number') return [key, { kind: 'ints', value }];
    return [key, { kind: key === 'epsilon' ? 'float' : 'int', value }];
  });
  const wanted = [...outputs];
  if (op === 'GroupNormGradient') {
    // All are made; those that nobody wants need a name as well.
    for (const [index, output] of wanted.entries()) if (output === '') wanted[index] = `${name} unwanted ${index}`;
  }
  while (wanted.at(-1) === '') wanted.pop();
  return {
    op,
    domain: KERNEL_DOMAIN,
    name,
    inputs: [...inputs],
    outputs: wanted,
    attributes: Object.fromEntries(encoded),
  };
}
