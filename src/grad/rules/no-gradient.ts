/** Operators that are known not to let a gradient through, and those that would but are not differentiated. */
import type { GradientEntry, GradientTable } from '../registry.js';

/** Results are integers, truths or shapes, or the result does not change with the input where it changes at all. */
const NONE = [
  // Comparison and logic
  'And',
  'Or',
  'Xor',
  'Not',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'IsNaN',
  'IsInf',
  'BitShift',
  'BitwiseAnd',
  'BitwiseOr',
  'BitwiseXor',
  'BitwiseNot',
  // Steps: constant wherever they are not broken
  'Sign',
  'Floor',
  'Ceil',
  'Round',
  'Hardmax',
  // Shapes, constants, indices
  'Shape',
  'Size',
  // Bits, of which floats are no smooth function
  'BitCast',
  'Constant',
  'ConstantOfShape',
  'EyeLike',
  'NonZero',
  'ArgMax',
  'ArgMin',
  'NonMaxSuppression',
  'Unique',
  'HannWindow',
  'HammingWindow',
  'BlackmanWindow',
  'MelWeightMatrix',
  // Random draws: what is drawn does not depend on a float input's values
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
  // Integer arithmetic
  'QuantizeLinear',
  'DynamicQuantizeLinear',
  'MatMulInteger',
  'ConvInteger',
  'QLinearMatMul',
  'QLinearConv',
];

const CONTROL_FLOW =
  'Control flow cannot be differentiated: make the condition or the number of rounds a constant before exporting (the branch or the unrolled loop is then part of the graph), or keep the parameters out of it.';
const UNDONE =
  'It has a gradient that is not made here yet: register one with registerGradient, write the node in operators that have one, or keep parameters out of it.';

const REFUSED: Readonly<Record<string, string>> = {
  If: CONTROL_FLOW,
  Loop: CONTROL_FLOW,
  Scan: CONTROL_FLOW,
  ...Object.fromEntries(
    [
      'AffineGrid',
      'CenterCropPad',
      'Col2Im',
      'Compress',
      'CumProd',
      'DeformConv',
      'DequantizeLinear',
      'Det',
      'GlobalLpPool',
      'GridSample',
      'LRN',
      'LpPool',
      'MaxRoiPool',
      'OneHot',
      'Range',
      'RoiAlign',
      'STFT',
      'TensorScatter',
    ].map((op): [string, string] => [op, UNDONE]),
  ),
};

export const NO_GRADIENT: GradientTable = {
  ...Object.fromEntries(NONE.map((op): [string, GradientEntry] => [op, { kind: 'none' }])),
  ...Object.fromEntries(
    Object.entries(REFUSED).map(([op, reason]): [string, GradientEntry] => [op, { kind: 'refused', reason }]),
  ),
};
