/** Removes Identity nodes by letting readers read what the Identity reads. */
import type { Model, Node } from '../ir.js';
import { renameNode } from './rename.js';

/** Removes every Identity that is not needed to name a graph output; in place. Returns how many went. */
export function removeIdentities(model: Model): number {
  const { graph } = model;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const replaced = new Map<string, string>();
  const resolve = (name: string): string => replaced.get(name) ?? name;
  // A value that a node makes takes the output's name, and so needs no Identity to have it.
  for (const node of graph.nodes) {
    const [source] = node.inputs;
    const [target] = node.outputs;
    if (!isIdentity(node) || source === undefined || !target || !outputs.has(target)) continue;
    if (made.has(source) && !outputs.has(source) && !replaced.has(source)) replaced.set(source, target);
  }
  const kept: Node[] = [];
  let removed = 0;
  for (const node of graph.nodes) {
    if (isIdentity(node)) {
      const source = resolve(node.inputs[0]!);
      const [target] = node.outputs;
      if (source === resolve(target!)) {
        removed += 1;
        continue;
      }
      if (!outputs.has(target!)) {
        replaced.set(target!, source);
        removed += 1;
        continue;
      }
    }
    kept.push(node);
  }
  if (removed === 0) return 0;
  graph.nodes = kept.map((node) => renameNode(node, resolve));
  for (const [from, to] of replaced) {
    const type = graph.types.get(from);
    if (type !== undefined && !graph.types.has(to)) graph.types.set(to, type);
    graph.types.delete(from);
  }
  return removed;
}

function isIdentity(node: Node): boolean {
  return node.op === 'Identity' && node.domain === '';
}
