/** Removes Identity nodes by letting readers read what the Identity reads. */
import type { Model, Node } from '../ir.js';
import { renameNode } from './rename.js';

/** Removes every Identity that is not needed to name a graph output; in place. Returns how many went. */
export function removeIdentities(model: Model): number {
  const { graph } = model;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const made = new Set(graph.nodes.filter((node) => !isIdentity(node)).flatMap((node) => node.outputs));
  // The value at the beginning of each chain of Identity nodes.
  const roots = new Map<string, string>();
  // Values that take the name of an output, and so need no Identity to have it.
  const renamed = new Map<string, string>();
  for (const node of graph.nodes) {
    const [target] = node.outputs;
    if (!isIdentity(node) || !target) continue;
    const root = roots.get(node.inputs[0]!) ?? node.inputs[0]!;
    roots.set(target, root);
    if (outputs.has(target) && made.has(root) && !outputs.has(root) && !renamed.has(root)) renamed.set(root, target);
  }
  const resolve = (name: string): string => {
    const root = roots.get(name) ?? name;
    return renamed.get(root) ?? root;
  };
  const kept = graph.nodes.filter((node) => {
    const [target] = node.outputs;
    return !isIdentity(node) || !target || (outputs.has(target) && resolve(target) !== target);
  });
  const removed = graph.nodes.length - kept.length;
  if (removed === 0) return 0;
  graph.nodes = kept.map((node) => {
    if (!isIdentity(node)) return renameNode(node, resolve);
    return { ...node, inputs: node.inputs.map(resolve) };
  });
  for (const name of [...roots.keys(), ...renamed.keys()]) if (!outputs.has(name)) graph.types.delete(name);
  return removed;
}

function isIdentity(node: Node): boolean {
  return node.op === 'Identity' && node.domain === '';
}
