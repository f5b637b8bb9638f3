import { TERMS, type Term } from '../../architectures/names.js';
import type { EpochProgress, Terms } from '../progress.js';

/** Where a run stands; what a checkpoint must bring back. */
export interface LoopState {
  /** Whole epochs done, and examples done of the one under way. */
  epoch: number;
  position: number;
  /** Batches seen: the counter of the random numbers. */
  microBatch: number;
  readonly epochs: EpochProgress[];
  learningRate: number;
  klWeight: number;
  /** Sums over the epoch under way. */
  partial: EpochSums;
  /** Product of what rollbacks and callbacks multiplied the learning rate by. */
  rateScale: number;
  /** Product of what callbacks multiplied β by. */
  klScale: number;
  /** The epoch with the lowest validation loss (training loss where there is no validation) so far. */
  best: { readonly epoch: number; readonly loss: number } | undefined;
  /** Whether the owner was told of posterior collapse: once is enough. */
  toldOfCollapse: boolean;
}

/** Terms summed over the examples seen; norms summed over the optimizer steps. */
export type EpochSums = Record<Term, number> & {
  seen: number;
  steps: number;
  gradientNorm: number;
  updateNorm: number;
};

export function noSums(): EpochSums {
  return { ...noTerms(), seen: 0, steps: 0, gradientNorm: 0, updateNorm: 0 };
}

export function noTerms(): Record<Term, number> {
  return { loss: 0, reconstruction: 0, kl: 0 };
}

/** Means over so many examples; of none there are none: NaN. */
export function meanTerms(sums: Readonly<Record<Term, number>>, count: number): Terms {
  return Object.fromEntries(TERMS.map((term) => [term, count > 0 ? sums[term] / count : Number.NaN])) as Record<
    Term,
    number
  >;
}

export function freshState(): LoopState {
  return {
    epoch: 0,
    position: 0,
    microBatch: 0,
    epochs: [],
    learningRate: 0,
    klWeight: 0,
    partial: noSums(),
    rateScale: 1,
    klScale: 1,
    best: undefined,
    toldOfCollapse: false,
  };
}

/** The loss by which epochs are compared. */
export function epochLoss({ train, validation }: EpochProgress): number {
  return (validation ?? train).loss;
}
