import type { Graph } from './ir.js';

/** Names that nothing else has, found in constant time however many share a stem. */
export class UniqueNames {
  readonly #taken = new Set<string>();
  readonly #nextSuffix = new Map<string, number>();

  /** Marks a name as used; false where it was already. */
  claim(name: string): boolean {
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** The stem itself if it is free, otherwise the stem and a number. */
  unique(stem: string): string {
    if (this.claim(stem)) return stem;
    let suffix = this.#nextSuffix.get(stem) ?? 1;
    while (this.#taken.has(`${stem}_${suffix}`)) suffix += 1;
    this.#nextSuffix.set(stem, suffix + 1);
    const name = `${stem}_${suffix}`;
    this.#taken.add(name);
    return name;
  }
}

/** Marks every name of a graph and its subgraphs as used. */
export function claimNames(graph: Graph, names: UniqueNames): void {
  for (const { name, shape } of [...graph.inputs, ...graph.outputs]) {
    names.claim(name);
    for (const dim of shape ?? []) if (typeof dim === 'string') names.claim(dim);
  }
  for (const name of graph.initializers.keys()) names.claim(name);
  for (const node of graph.nodes) {
    names.claim(node.name);
    for (const name of [...node.inputs, ...node.outputs]) names.claim(name);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === 'graph') claimNames(attribute.value, names);
    }
  }
}
