/** Numbers that TypeScript and C++ share. */
import { expect, it } from 'vitest';
import { loadAddon } from '../../src/binding/index.js';
import { LEAST_LOG_SCALE, MOST_LOG_SCALE, SCALE_STEPS } from '../../src/codecs/pictures/objective.js';
import {
  MEAN_UNITS,
  MOST_HYPER,
  MOST_PRIOR_SCALE,
  PRIOR_MEAN_UNITS,
  PRIOR_SCALE_UNITS,
  WEIGHT_UNITS,
} from '../../src/codecs/pictures/to-integers.js';

it('models are made in the units of the coder', () => {
  expect({
    mostHyper: MOST_HYPER,
    meanBits: Math.log2(MEAN_UNITS),
    scaleSteps: SCALE_STEPS,
    leastLogScale: LEAST_LOG_SCALE,
    mostLogScale: MOST_LOG_SCALE,
    mixtureWeightBits: Math.log2(WEIGHT_UNITS),
    mixtureMeanBits: Math.log2(PRIOR_MEAN_UNITS),
    mixtureScaleBits: Math.log2(PRIOR_SCALE_UNITS),
    mostMixtureScale: MOST_PRIOR_SCALE,
  }).toEqual(loadAddon().coderConstants);
});
