/** Puts the nodes of one branch of an If in the place of the If. */
import type { Constant, Graph, Node } from '../ir.js';
import type { UniqueNames } from '../names.js';
import { renameNode } from './rename.js';

export interface InlinedBranch {
  readonly nodes: Node[];
  /** The branch's constants under names that are free in the outer graph. */
  readonly initializers: Map<string, Constant>;
}

/** The branch's nodes, making the outputs of the If; every inner name is made unique. */
export function inlineBranch(node: Node, branch: Graph, names: UniqueNames): InlinedBranch {
  const renamed = new Map<string, string>();
  for (const name of branch.initializers.keys()) renamed.set(name, names.unique(name));
  const made = new Set<string>();
  for (const inner of branch.nodes) for (const name of inner.outputs) if (name !== '') made.add(name);
  const identities: Node[] = [];
  branch.outputs.forEach(({ name }, index) => {
    const output = node.outputs[index] ?? '';
    if (output === '') return;
    if (made.has(name) && !renamed.has(name)) renamed.set(name, output);
    else {
      // A value from around the If, a constant, or one that is given out twice.
      const source = renamed.get(name) ?? name;
      identities.push({
        op: 'Identity',
        domain: '',
        name: names.unique(`${node.name || node.op}_output`),
        inputs: [source],
        outputs: [output],
        attributes: {},
      });
    }
  });
  for (const name of made) if (!renamed.has(name)) renamed.set(name, names.unique(name));
  const rename = (name: string) => renamed.get(name) ?? name;
  const nodes = branch.nodes.map((inner) => ({
    ...renameNode(inner, rename),
    name: inner.name === '' ? '' : names.unique(inner.name),
  }));
  const initializers = new Map([...branch.initializers].map(([name, constant]) => [rename(name), constant]));
  return { nodes: [...nodes, ...identities], initializers };
}
