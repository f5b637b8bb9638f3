/** Fully connected layers in 8-bit integers, as quantize-graph.ts writes them. */
import type { Int8Layer } from '../../binding/addon.js';
import { readConstant } from '../../graph/constants.js';
import type { Constant, Graph, Node } from '../../graph/ir.js';

/** Native kernels add two products in 16 bits (native/kernels/int8_product.h). */
const LARGEST_WEIGHT = 64;

/** A value of the graph as uint8: (whole − zero) · scale. */
export interface Rounding {
  readonly scale: number;
  readonly zero: number;
}

/** What a QuantizeLinear to uint8, or a DequantizeLinear from there, has one scale and zero point for. */
export function roundingOf({ initializers }: Graph, node: Node): Rounding | undefined {
  const scale = only(initializers.get(node.inputs[1] ?? ''), 'float32');
  const zero = only(initializers.get(node.inputs[2] ?? ''), 'uint8');
  if (scale === undefined || zero === undefined || node.inputs.length !== 3) return undefined;
  return Number.isFinite(scale) && scale > 0 ? { scale, zero } : undefined;
}

/** The layer that a Gemm on such a value is; undefined where it is anything else. */
export function int8Gemm(
  graph: Graph,
  producers: ReadonlyMap<string, Node>,
  node: Node,
  input: Rounding,
): { readonly int8: Int8Layer; readonly inputs: number; readonly outputs: number } | undefined {
  const plain = Object.entries(node.attributes).every(
    ([name, value]) => 'value' in value && value.value === (name === 'alpha' || name === 'beta' ? 1 : 0),
  );
  const weight = parts(graph, producers.get(node.inputs[1] ?? ''), 'int8');
  if (!plain || weight?.whole.dims.length !== 2 || weight.axis !== 1) return undefined;
  const [inputs, outputs] = weight.whole.dims as [number, number];
  const weights = readConstant(weight.whole) as Int8Array;
  if (weight.scales.length !== outputs || weights.some((value) => Math.abs(value) > LARGEST_WEIGHT)) return undefined;
  const layer = { ...input, weights, scales: weight.scales };
  if (!node.inputs[2]) return { int8: layer, inputs, outputs };
  const bias = parts(graph, producers.get(node.inputs[2]), 'int32');
  const fits =
    bias?.whole.dims.length === 1 &&
    bias.axis === 0 &&
    bias.scales.length === outputs &&
    bias.scales.every((scale, o) => scale === Math.fround(weight.scales[o]! * input.scale));
  return fits ? { int8: { ...layer, bias: readConstant(bias.whole) as Int32Array }, inputs, outputs } : undefined;
}

/** A DequantizeLinear of constants around zero, by channel. */
function parts({ initializers }: Graph, node: Node | undefined, dtype: 'int8' | 'int32') {
  if (node?.op !== 'DequantizeLinear' || node.domain !== '') return undefined;
  const [whole, scales, zeros] = node.inputs.map((name) => initializers.get(name));
  if (whole?.dtype !== dtype || scales?.dtype !== 'float32' || scales.dims.length !== 1) return undefined;
  if (node.inputs.length > 2 && (zeros === undefined || readConstant(zeros).some((zero) => Number(zero) !== 0))) {
    return undefined;
  }
  const axis = node.attributes['axis'];
  return { whole, scales: readConstant(scales) as Float32Array, axis: axis?.kind === 'int' ? axis.value : 1 };
}

function only(constant: Constant | undefined, dtype: 'float32' | 'uint8'): number | undefined {
  if (constant?.dtype !== dtype) return undefined;
  const values = readConstant(constant);
  return values.length === 1 ? Number(values[0]) : undefined;
}
