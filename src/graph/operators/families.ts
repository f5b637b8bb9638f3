/** The tables of all families. A new family is one file and one line here. */
import { ACTIVATIONS } from './activations.js';
import { ATTENTIONS } from './attention.js';
import { CONSTANTS } from './constant.js';
import { CONTROL } from './control.js';
import { CONVOLUTIONS } from './convolution.js';
import type { OperatorDefinition } from './definition.js';
import { ELEMENTWISE } from './elementwise.js';
import { INDEXING } from './indexing.js';
import { LAYOUT } from './layout.js';
import { LOSSES } from './losses.js';
import { MATMUL } from './matmul.js';
import { NORMALIZATIONS } from './normalization.js';
import { QUANTIZATIONS } from './quantize.js';
import { RECURRENT } from './recurrent.js';
import { REDUCTIONS } from './reduce.js';
import { RESIZES } from './resize.js';
import { SHAPES } from './shape.js';
import { SIGNALS } from './signal.js';

export const FAMILIES: readonly (readonly OperatorDefinition[])[] = [
  ELEMENTWISE,
  ACTIVATIONS,
  REDUCTIONS,
  MATMUL,
  CONVOLUTIONS,
  NORMALIZATIONS,
  ATTENTIONS,
  SHAPES,
  LAYOUT,
  INDEXING,
  RESIZES,
  CONSTANTS,
  QUANTIZATIONS,
  RECURRENT,
  LOSSES,
  SIGNALS,
  CONTROL,
];
