/** The tables of all families. A new family is one file and one line here. */
import { ACTIVATIONS } from './activations.js';
import { CONSTANTS } from './constant.js';
import type { OperatorDefinition } from './definition.js';
import { ELEMENTWISE } from './elementwise.js';
import { INDEXING } from './indexing.js';
import { LAYOUT } from './layout.js';
import { MATMUL } from './matmul.js';
import { REDUCTIONS } from './reduce.js';
import { SHAPES } from './shape.js';

export const FAMILIES: readonly (readonly OperatorDefinition[])[] = [
  ELEMENTWISE,
  ACTIVATIONS,
  REDUCTIONS,
  MATMUL,
  SHAPES,
  LAYOUT,
  INDEXING,
  CONSTANTS,
];
