/** The networks of photographs as integers. */
import type { IntegerLayer } from '../../../binding/coder.js';
import { apply, type FloatLayer, Ranges, relu } from '../../integers/float-network.js';
import { filled, HIDDEN_TOP, integerLayer } from '../../integers/integer-layer.js';

/** Features are in 1/256, and none is larger than this. A test holds the second against the coder's own. */
export const FEATURE_UNITS = 256;
export const MOST_FEATURE = 4095;
/** What the coder takes: logits as log2 in 1/256, means in 1/256 of a scale, log2 of scales in 1/256. */
const OUTPUT_UNITS = 256;
/** Room above what calibration saw; whatever is larger is clamped, and only costs bits. */
const HEADROOM = 1.5;
/** A layer that stays near 0 gains nothing from finer steps. */
const LEAST_PEAK = 0.05;

/**
 * @param layers the last gives logits (natural), means and log2 of scales, `components` of each.
 * @param samples rows of features as they are trained on, such as will be met.
 */
export function integerNetwork(
  layers: readonly FloatLayer[],
  components: number,
  samples: readonly ArrayLike<number>[],
): IntegerLayer[] {
  const ranges = new Ranges();
  for (const sample of samples) {
    let values: ArrayLike<number> = sample;
    for (const [index, layer] of layers.slice(0, -1).entries()) {
      const next = relu(apply(layer, values));
      ranges.see(String(index), next);
      values = next;
    }
  }
  let scale = FEATURE_UNITS;
  let limit = MOST_FEATURE;
  return layers.map((layer, index): IntegerLayer => {
    const scales = filled(layer.inputs, scale);
    const limits = filled(layer.inputs, limit);
    if (index === layers.length - 1) {
      const units = filled(3 * components, OUTPUT_UNITS).fill(OUTPUT_UNITS / Math.LN2, 0, components);
      return integerLayer(layer, scales, limits, units, -32767);
    }
    scale = HIDDEN_TOP / (Math.max(ranges.of(String(index)), LEAST_PEAK) * HEADROOM);
    limit = HIDDEN_TOP;
    return integerLayer(layer, scales, limits, filled(layer.outputs, scale), 0);
  });
}
