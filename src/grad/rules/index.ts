/** Puts the rules of every family into the registry. */
import { addToRegistry, type GradientTable } from '../registry.js';
import { ACTIVATION } from './activation.js';
import { ARITHMETIC } from './arithmetic.js';
import { CONVOLUTION } from './convolution.js';
import { INDEXING } from './indexing.js';
import { MATMUL } from './matmul.js';
import { NO_GRADIENT } from './no-gradient.js';
import { NORMALIZATION } from './normalization.js';
import { REDUCE } from './reduce.js';
import { SHAPE } from './shape.js';
import { SLICING } from './slicing.js';
import { UNARY } from './unary.js';

/** A new family is one file and one line here. */
const FAMILIES: readonly GradientTable[] = [
  ARITHMETIC,
  UNARY,
  ACTIVATION,
  MATMUL,
  CONVOLUTION,
  REDUCE,
  SHAPE,
  SLICING,
  INDEXING,
  NORMALIZATION,
  NO_GRADIENT,
];

for (const family of FAMILIES) addToRegistry(family);
