/**
 * Whether a decoder gives logits or probabilities. The interval that its output lies in decides, worked out
 * through the graph and looked at on draws; the last node alone says nothing.
 */
import { VaeError } from '../../core/errors.js';
import type { Model } from '../../graph/ir.js';
import { type Interval, rangeOf } from '../../graph/ranges/index.js';

export const OUTPUT_VALUES = ['logits', 'probabilities'] as const;
export type OutputValues = (typeof OUTPUT_VALUES)[number];

/** Rounding of float32 may carry a result this far over an end. */
const ROUNDING = 1e-5;
/** Bounded outputs this near to a unit are data of another scale, or probabilities that were stretched, rather than logits. */
const NEAR = 2;

const within = ([low, high]: Interval, least: number, most: number): boolean => low >= least && high <= most;
const inUnit = (interval: Interval): boolean => within(interval, -ROUNDING, 1 + ROUNDING);

export interface OutputFacts {
  readonly model: Model;
  /** Name of the output. */
  readonly output: string;
  readonly likelihood: string;
  /** What the caller says it is. */
  readonly said: OutputValues | undefined;
  /** Smallest and largest value that draws from the prior decode to. */
  seen(): Promise<Interval>;
}

/**
 * @throws VaeError ERR_VAE_OPTION where it cannot be told, or is not what the caller says.
 */
export async function outputValues({ model, output, likelihood, said, seen }: OutputFacts): Promise<OutputValues> {
  const derived = rangeOf(model.graph, output);
  const found = await seen();
  const name = `The decoder's output "${output}"`;
  if (said === 'probabilities' && !inUnit(found)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${name} cannot be probabilities, as output says: draws from the prior decode to ${text(found)}. Give output: 'logits', or ` +
        'export the decoder with what brings its output to 0 to 1.',
    );
  }
  if (said !== undefined) return said;
  if (inUnit(derived) && inUnit(found)) return 'probabilities';
  const bounded = within(derived, -NEAR, NEAR);
  if (!inUnit(found) && !bounded) return 'logits';
  const why = bounded
    ? `it lies in ${text(derived)}, which is neither the interval of probabilities nor that of logits`
    : `all that draws from the prior decode to lies in ${text(found)}, but nothing in the graph keeps it there`;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `${name} may hold logits or probabilities: ${why}. Likelihood "${likelihood}" must know which: give output: 'logits' where ` +
      "σ of it is the probability (decode() then gives σ of it), output: 'probabilities' where it is that itself, or " +
      "likelihood: 'gaussian' where it is neither.",
  );
}

function text([low, high]: Interval): string {
  return `[${Number(low.toPrecision(4))}, ${Number(high.toPrecision(4))}]`;
}
