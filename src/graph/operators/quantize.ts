/** Quantization to integers and back. */
import type { Attribute, AttributeKind, OperatorDefinition } from './definition.js';
import { define, expectType, int, tensor } from './helpers.js';

const QUANTIZE: readonly [number, Readonly<Record<string, AttributeKind | Attribute>>][] = [
  [13, { axis: int(1) }],
  [19, { axis: int(1), saturate: int(1) }],
  [21, { axis: int(1), block_size: int(0), output_dtype: int(0), saturate: int(1) }],
  [23, { axis: int(1), block_size: int(0), output_dtype: int(0), precision: int(0), saturate: int(1) }],
];

const DEQUANTIZE: readonly [number, Readonly<Record<string, AttributeKind | Attribute>>][] = [
  [13, { axis: int(1) }],
  [21, { axis: int(1), block_size: int(0) }],
  [23, { axis: int(1), block_size: int(0), output_dtype: int(0) }],
];

export const QUANTIZATIONS: readonly OperatorDefinition[] = [
  ...QUANTIZE.map(([since, attributes]) =>
    define('QuantizeLinear', {
      since,
      inputs: [2, 3],
      attributes,
      infer: (context) => {
        const zeroPoint = context.given(2) ? context.input(2).dtype : undefined;
        const dtype = zeroPoint ?? (since >= 21 ? context.dtype('output_dtype', 'uint8') : 'uint8');
        return [tensor(dtype, context.shape(0))];
      },
    }),
  ),
  ...DEQUANTIZE.map(([since, attributes]) =>
    define('DequantizeLinear', {
      since,
      inputs: [2, 3],
      attributes,
      infer: (context) => {
        const scale = expectType(context, 1, 'float');
        return [tensor(since >= 23 ? context.dtype('output_dtype', scale) : scale, context.shape(0))];
      },
    }),
  ),
  define('DynamicQuantizeLinear', {
    outputs: 3,
    infer: (context) => [tensor('uint8', context.shape(0)), tensor('float32', []), tensor('uint8', [])],
  }),
];
