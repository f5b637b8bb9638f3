/**
 * Raises models from one operator set to a later one. What is listed here are the operators whose form
 * or meaning changed between opsets 13 and 26; all others mean the same under the later number.
 */
import { VaeError } from '../core/errors.js';
import { constantOf } from './constants.js';
import { printable } from './external-data.js';
import {
  type Attribute,
  type Attributes,
  type Graph,
  HIGHEST_INPUT_OPSET,
  irVersionOf,
  LOWEST_INPUT_OPSET,
  type Model,
  type Node,
  WORKING_OPSET,
} from './ir.js';
import { claimNames, UniqueNames } from './names.js';

/** What an upgrade of one node may use. */
interface Site {
  /** Stores integers in the graph, a list or one number, and returns the name. */
  constant(values: readonly number[] | number): string;
  /** A name that nothing else has. */
  name(stem: string): string;
}
/** The node in its new form, with nodes that must come before it. */
type Upgrade = (node: Node, site: Site) => Node | readonly Node[];

interface Change {
  /** First operator set with the new form. */
  readonly since: number;
  readonly upgrade: Upgrade;
}

const int = (value: number): Attribute => ({ kind: 'int', value });

/** Until opset 17 the axes of these were an attribute. */
const axesToInput: Change = {
  since: 18,
  upgrade: (node, site) => {
    const { axes, ...attributes } = node.attributes;
    if (axes?.kind !== 'ints') return node;
    return { ...node, attributes, inputs: [node.inputs[0] ?? '', site.constant(axes.value)] };
  },
};

/** Equal parts used to follow from the number of outputs alone. */
const splitCount: Change = {
  since: 18,
  upgrade: (node) =>
    node.inputs.length > 1
      ? node
      : { ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } },
};

/** Opset 16 shifted the sampling points by half a pixel by default. */
const samplingPoints: Change = {
  since: 16,
  upgrade: (node) =>
    'coordinate_transformation_mode' in node.attributes
      ? node
      : {
          ...node,
          attributes: {
            ...node.attributes,
            coordinate_transformation_mode: { kind: 'string', value: 'output_half_pixel' },
          },
        },
};

/** Opset 20 gave the modes names that hold in any number of dimensions. */
const modeNames: Change = {
  since: 20,
  upgrade: (node) => {
    const { mode } = node.attributes;
    if (mode?.kind !== 'string') return node;
    const value = mode.value === 'bilinear' ? 'linear' : mode.value === 'bicubic' ? 'cubic' : mode.value;
    return { ...node, attributes: { ...node.attributes, mode: { kind: 'string', value } } };
  },
};

/** Opset 20 made the axis an input, whose default is another. */
const transformAxis: Change = {
  since: 20,
  upgrade: (node, site) => {
    const { axis, ...attributes } = node.attributes;
    const along = axis?.kind === 'int' ? axis.value : 1;
    return { ...node, attributes, inputs: [node.inputs[0]!, node.inputs[1] ?? '', site.constant(along)] };
  },
};

/** Opset 21 gave every channel a scale and shift of its own, where each group had one: [G] to [C], in order. */
const channelScales: Change = {
  since: 21,
  upgrade: (node, site) => {
    const { num_groups: groups } = node.attributes;
    if (groups?.kind !== 'int') return node;
    const made: Node[] = [];
    const add = (op: string, inputs: readonly string[], attributes: Attributes = {}): string => {
      const output = site.name(`${node.outputs[0]}/channels`);
      made.push({
        op,
        domain: '',
        name: site.name(`${node.name || op}/channels`),
        inputs,
        outputs: [output],
        attributes,
      });
      return output;
    };
    const channels = add('Shape', [node.inputs[0]!], { start: int(1), end: int(2) });
    const each = add('Div', [channels, site.constant([groups.value])]);
    const shape = add('Concat', [site.constant([groups.value]), each], { axis: int(0) });
    const widened = [node.inputs[1]!, node.inputs[2]!].map((name) => {
      const column = add('Unsqueeze', [name, site.constant([1])]);
      return add('Reshape', [add('Expand', [column, shape]), channels]);
    });
    return [...made, { ...node, inputs: [node.inputs[0]!, ...widened] }];
  },
};

/** What changed, by operator, earliest first. */
const CHANGES: Readonly<Record<string, readonly Change[]>> = {
  ReduceMean: [axesToInput],
  ReduceProd: [axesToInput],
  ReduceMax: [axesToInput],
  ReduceMin: [axesToInput],
  ReduceL1: [axesToInput],
  ReduceL2: [axesToInput],
  ReduceLogSum: [axesToInput],
  ReduceLogSumExp: [axesToInput],
  ReduceSumSquare: [axesToInput],
  Split: [splitCount],
  RoiAlign: [samplingPoints],
  GridSample: [modeNames],
  DFT: [transformAxis],
  GroupNormalization: [channelScales],
};

/** Forms that ended with an operator set: several outputs meant training before opset 14. */
function checkRetired({ nodes }: Graph, opset: number): void {
  if (opset >= 14) return;
  for (const node of nodes) {
    for (const graph of subgraphs(node)) checkRetired(graph, opset);
    if (node.domain !== '' || node.op !== 'BatchNormalization') continue;
    if (node.outputs.filter((name) => name !== '').length < 2) continue;
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `Node "${printable(node.name)}" (BatchNormalization, opset ${opset}) is in the training form of opset 13, which has no successor. ` +
        'Export the model in evaluation mode, or with opset 14 or newer.',
    );
  }
}

/**
 * The standard operator set of a model that was read.
 *
 * @throws VaeError ERR_VAE_GRAPH where the set lies outside the supported range.
 */
function checkedOpset({ opsets, graph }: Model): number {
  const opset = opsets.get('');
  if (opset === undefined || opset < LOWEST_INPUT_OPSET || opset > HIGHEST_INPUT_OPSET) {
    const found = opset === undefined ? 'names no version of the standard operator set' : `is of opset ${opset}`;
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The model ${found}; supported are opsets ${LOWEST_INPUT_OPSET} to ${HIGHEST_INPUT_OPSET}. ` +
        'Export it again with such a version, or convert it with onnx.version_converter.convert_version.',
    );
  }
  checkRetired(graph, opset);
  return opset;
}

/**
 * Raises a model to at least this operator set, in place. The types that were inferred for it are no longer
 * those of all its values.
 *
 * @throws VaeError ERR_VAE_GRAPH where its own set lies outside the supported range.
 */
export function upgradeModel(model: Model, target = WORKING_OPSET): void {
  const opset = checkedOpset(model);
  if (opset >= target) return;
  const names = new UniqueNames();
  claimNames(model.graph, names);
  upgradeGraph(model.graph, opset, target, names);
  model.opsets.set('', target);
  model.irVersion = Math.max(model.irVersion, irVersionOf(target));
}

/** A copy of the model, raised to this operator set; the model itself where it is of that or a later one. */
export function raisedModel(model: Model, target: number): Model {
  if ((model.opsets.get('') ?? 0) >= target) return model;
  const { graph } = model;
  const raised: Model = {
    ...model,
    opsets: new Map(model.opsets),
    metadata: new Map(model.metadata),
    graph: {
      ...graph,
      nodes: graph.nodes.map(copyOf),
      initializers: new Map(graph.initializers),
      types: new Map(graph.types),
    },
  };
  upgradeModel(raised, target);
  return raised;
}

/** The node with copies of the graphs that it holds: those are changed in place. */
function copyOf(node: Node): Node {
  if (subgraphs(node).length === 0) return node;
  const attributes = Object.entries(node.attributes).map(([key, attribute]): [string, Attribute] => {
    if (attribute.kind !== 'graph') return [key, attribute];
    const { value } = attribute;
    const nodes = value.nodes.map(copyOf);
    return [key, { kind: 'graph', value: { ...value, nodes, initializers: new Map(value.initializers) } }];
  });
  return { ...node, attributes: Object.fromEntries(attributes) };
}

function subgraphs(node: Node): Graph[] {
  return Object.values(node.attributes).flatMap((attribute) => (attribute.kind === 'graph' ? [attribute.value] : []));
}

function upgradeGraph(graph: Graph, from: number, to: number, names: UniqueNames): void {
  const shared = new Map<string, string>();
  const site: Site = {
    name: (stem) => names.unique(stem),
    constant: (values) => {
      const list = typeof values === 'number' ? [values] : values;
      const key = `${typeof values}:${list.join(',')}`;
      const known = shared.get(key);
      if (known !== undefined) return known;
      const name = names.unique(`axes_${list.map((value) => (value < 0 ? `m${-value}` : value)).join('_')}`);
      graph.initializers.set(name, { ...constantOf(values, 'int64'), literal: true });
      shared.set(key, name);
      return name;
    },
  };
  graph.nodes = graph.nodes.flatMap((node) => {
    for (const inner of subgraphs(node)) upgradeGraph(inner, from, to, names);
    if (node.domain !== '' || !Object.hasOwn(CHANGES, node.op)) return [node];
    const before: Node[] = [];
    let current = node;
    for (const { since, upgrade } of CHANGES[node.op]!) {
      if (since <= from || since > to) continue;
      const upgraded = upgrade(current, site);
      const nodes = Array.isArray(upgraded) ? (upgraded as readonly Node[]) : [upgraded as Node];
      before.push(...nodes.slice(0, -1));
      current = nodes[nodes.length - 1]!;
    }
    return [...before, current];
  });
}
