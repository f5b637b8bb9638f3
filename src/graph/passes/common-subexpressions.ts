/** Computes equal things once. */
import { constantBytes } from '../constants.js';
import type { Attribute, Constant, Graph, Model, Node } from '../ir.js';
import { renameNode } from './rename.js';

/** Operators that give something else each time they run. */
const RANDOM = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
  'Dropout',
]);

/** Larger constants are hardly ever equal, and comparing them costs time. */
const MAX_CONSTANT_BYTES = 512;

/**
 * Merges nodes that apply the same operator with the same attributes to the same inputs, and equal
 * small constants (except float parameters, which only start out equal).
 * In place; returns how many nodes went.
 */
export function mergeCommonSubexpressions(model: Model): number {
  const { graph } = model;
  const replaced = mergeConstants(graph);
  const rename = (name: string): string => replaced.get(name) ?? name;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const seen = new Map<string, Node>();
  const constantIds = new Map<Constant, number>();
  const kept: Node[] = [];
  for (const original of graph.nodes) {
    const node = renameNode(original, rename);
    const key = keyOf(node, constantIds);
    const twin = key === undefined ? undefined : seen.get(key);
    if (twin !== undefined && !node.outputs.some((name) => outputs.has(name)) && covers(twin, node)) {
      node.outputs.forEach((name, index) => {
        if (name !== '') replaced.set(name, twin.outputs[index]!);
      });
      continue;
    }
    if (key !== undefined && twin === undefined) seen.set(key, node);
    kept.push(node);
  }
  const removed = graph.nodes.length - kept.length;
  graph.nodes = kept;
  for (const name of replaced.keys()) graph.types.delete(name);
  return removed;
}

/** Whether every output that `node` makes is made by its twin too. */
function covers(twin: Node, node: Node): boolean {
  return node.outputs.every((name, index) => name === '' || (twin.outputs[index] ?? '') !== '');
}

function mergeConstants(graph: Graph): Map<string, string> {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const replaced = new Map<string, string>();
  const seen = new Map<string, string>();
  for (const [name, constant] of graph.initializers) {
    const { dtype, data, dims, literal } = constant;
    const fixed = literal || dtype.startsWith('int') || dtype.startsWith('uint') || dtype === 'bool';
    if (!fixed || data.byteLength > MAX_CONSTANT_BYTES || !(data instanceof Uint8Array)) continue;
    if (dtype === 'string' || outputs.has(name)) continue;
    const key = `${dtype}|${dims.join(',')}|${textOf(constant)}`;
    const twin = seen.get(key);
    if (twin === undefined) seen.set(key, name);
    else replaced.set(name, twin);
  }
  for (const name of replaced.keys()) graph.initializers.delete(name);
  return replaced;
}

function keyOf(node: Node, constantIds: Map<Constant, number>): string | undefined {
  if (node.domain === '' && RANDOM.has(node.op)) return undefined;
  const attributes: unknown[] = [];
  for (const name of Object.keys(node.attributes).sort()) {
    const attribute = node.attributes[name]!;
    if (attribute.kind === 'graph') return undefined;
    attributes.push([name, attribute.kind, attributeKey(attribute, constantIds)]);
  }
  return JSON.stringify([node.domain, node.op, node.inputs, attributes]);
}

function attributeKey(attribute: Exclude<Attribute, { kind: 'graph' }>, constantIds: Map<Constant, number>): unknown {
  if (attribute.kind === 'tensor') {
    const { value } = attribute;
    if (value.data instanceof Uint8Array && value.data.byteLength <= MAX_CONSTANT_BYTES && value.dtype !== 'string') {
      return [value.dtype, value.dims, textOf(value)];
    }
    if (!constantIds.has(value)) constantIds.set(value, constantIds.size);
    return constantIds.get(value);
  }
  // JSON has no infinities, NaN or minus zero.
  if (attribute.kind === 'float') return floatKey(attribute.value);
  if (attribute.kind === 'floats') return attribute.value.map(floatKey);
  return attribute.value;
}

function floatKey(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function textOf(constant: Constant): string {
  return Buffer.from(constantBytes(constant)).toString('base64');
}
