/** Puts the rules of every family into the registry. */
import { addToRegistry, type GradientTable } from '../registry.js';
import { ACTIVATION } from './activation.js';
import { ARITHMETIC } from './arithmetic.js';
import { ATTENTION } from './attention.js';
import { CHANNEL_NORM } from './channel-norm.js';
import { CONVOLUTION } from './convolution.js';
import { EINSUM } from './einsum.js';
import { INDEXING } from './indexing.js';
import { LOSSES } from './losses.js';
import { MATMUL } from './matmul.js';
import { NO_GRADIENT } from './no-gradient.js';
import { NORMALIZATION } from './normalization.js';
import { PAD } from './pad.js';
import { POOLING } from './pooling.js';
import { RANDOM } from './random.js';
import { RECURRENT } from './recurrent.js';
import { REDUCE } from './reduce.js';
import { RESIZE } from './resize.js';
import { SHAPE } from './shape.js';
import { SIGNAL } from './signal.js';
import { SLICING } from './slicing.js';
import { UNARY } from './unary.js';

/** A new family is one file and one line here. */
const FAMILIES: readonly GradientTable[] = [
  ARITHMETIC,
  UNARY,
  ACTIVATION,
  MATMUL,
  EINSUM,
  CONVOLUTION,
  POOLING,
  RESIZE,
  PAD,
  REDUCE,
  SHAPE,
  SLICING,
  INDEXING,
  NORMALIZATION,
  CHANNEL_NORM,
  ATTENTION,
  RECURRENT,
  LOSSES,
  RANDOM,
  SIGNAL,
  NO_GRADIENT,
];

for (const family of FAMILIES) addToRegistry(family);
