/**
 * Raises imported models of opsets 13 to 17 to 18, where reductions take their axes as an input and
 * most other forms reached the shape they still have. Opsets 18 to 23 are kept.
 */
import { VaeError } from '../core/errors.js';
import { constantOf } from './constants.js';
import { printable } from './external-data.js';
import {
  type Attribute,
  type Attributes,
  type Graph,
  HIGHEST_INPUT_OPSET,
  LOWEST_INPUT_OPSET,
  type Model,
  type Node,
  WORKING_IR_VERSION,
  WORKING_OPSET,
} from './ir.js';
import { claimNames, UniqueNames } from './names.js';

/** What an upgrade of one node may use. */
interface Site {
  /** Stores a list of integers in the graph and returns its name. */
  constant(values: readonly number[]): string;
}
type Upgrade = (node: Node, site: Site) => Node;

const int = (value: number): Attribute => ({ kind: 'int', value });

/** Until opset 17 the axes of these were an attribute. */
const axesToInput: Upgrade = (node, site) => {
  const { axes, ...attributes } = node.attributes;
  if (axes?.kind !== 'ints') return node;
  return { ...node, attributes, inputs: [node.inputs[0] ?? '', site.constant(axes.value)] };
};

const UPGRADES: Readonly<Record<string, Upgrade>> = {
  ReduceMean: axesToInput,
  ReduceProd: axesToInput,
  ReduceMax: axesToInput,
  ReduceMin: axesToInput,
  ReduceL1: axesToInput,
  ReduceL2: axesToInput,
  ReduceLogSum: axesToInput,
  ReduceLogSumExp: axesToInput,
  ReduceSumSquare: axesToInput,
  // Equal parts used to follow from the number of outputs alone.
  Split: (node) =>
    node.inputs.length > 1
      ? node
      : { ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } },
  // Opset 16 shifted the sampling points by half a pixel by default.
  RoiAlign: (node) =>
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

/** Forms that ended with an operator set: several outputs meant training before opset 14. */
function checkRetired(node: Node, opset: number): void {
  if (node.op === 'BatchNormalization' && opset < 14 && node.outputs.filter((name) => name !== '').length > 1) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `Node "${printable(node.name)}" (BatchNormalization, opset ${opset}) is in the training form of opset 13, which has no successor. ` +
        'Export the model in evaluation mode, or with opset 14 or newer.',
    );
  }
}

/**
 * Checks the operator set and raises the model to at least the working one, in place.
 *
 * @throws VaeError ERR_VAE_GRAPH where the set lies outside the supported range.
 */
export function upgradeModel(model: Model): void {
  const opset = model.opsets.get('');
  if (opset === undefined || opset < LOWEST_INPUT_OPSET || opset > HIGHEST_INPUT_OPSET) {
    const found = opset === undefined ? 'names no version of the standard operator set' : `is of opset ${opset}`;
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The model ${found}; supported are opsets ${LOWEST_INPUT_OPSET} to ${HIGHEST_INPUT_OPSET}. ` +
        'Export it again with such a version, or convert it with onnx.version_converter.convert_version.',
    );
  }
  if (opset >= WORKING_OPSET) return;
  const names = new UniqueNames();
  claimNames(model.graph, names);
  upgradeGraph(model.graph, opset, names);
  model.opsets.set('', WORKING_OPSET);
  model.irVersion = Math.max(model.irVersion, WORKING_IR_VERSION);
}

function upgradeGraph(graph: Graph, opset: number, names: UniqueNames): void {
  const shared = new Map<string, string>();
  const site: Site = {
    constant: (values) => {
      const key = values.join(',');
      const known = shared.get(key);
      if (known !== undefined) return known;
      const name = names.unique(`axes_${values.map((value) => (value < 0 ? `m${-value}` : value)).join('_')}`);
      graph.initializers.set(name, { ...constantOf(values, 'int64'), literal: true });
      shared.set(key, name);
      return name;
    },
  };
  graph.nodes = graph.nodes.map((node) => {
    if (node.domain !== '') return node;
    checkRetired(node, opset);
    const upgrade = Object.hasOwn(UPGRADES, node.op) ? UPGRADES[node.op]! : undefined;
    // RoiAlign changed its default at 16, everything else here at 18.
    const upgraded = upgrade === undefined || (node.op === 'RoiAlign' && opset >= 16) ? node : upgrade(node, site);
    return upgradeSubgraphs(upgraded, opset, names);
  });
}

function upgradeSubgraphs(node: Node, opset: number, names: UniqueNames): Node {
  for (const attribute of Object.values(node.attributes as Attributes)) {
    if (attribute.kind === 'graph') upgradeGraph(attribute.value, opset, names);
  }
  return node;
}
