/** Puts the rules of every family into the registry. */
import { addToRegistry } from '../registry.js';
import { ACTIVATION } from './activation.js';
import { ARITHMETIC } from './arithmetic.js';
import { INDEXING } from './indexing.js';
import { MATMUL } from './matmul.js';
import { NO_GRADIENT } from './no-gradient.js';
import { NORMALIZATION } from './normalization.js';
import { REDUCE } from './reduce.js';
import { SHAPE } from './shape.js';
import { SLICING } from './slicing.js';
import { UNARY } from './unary.js';

const FAMILIES = [ARITHMETIC, UNARY, ACTIVATION, MATMUL, REDUCE, SHAPE, SLICING, INDEXING, NORMALIZATION, NO_GRADIENT];

for (const family of FAMILIES) addToRegistry(family);
