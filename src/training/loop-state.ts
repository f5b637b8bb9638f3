import type { Term } from '../architectures/graphs.js';
import type { EpochProgress } from './progress.js';

/** Where a run stands; what a checkpoint must bring back. */
export interface LoopState {
  /** Whole epochs done, and examples done of the one under way. */
  epoch: number;
  position: number;
  /** Batches seen: the counter of the random numbers. */
  microBatch: number;
  readonly epochs: EpochProgress[];
  learningRate: number;
  /** Sums over the examples of the epoch under way. */
  partial: TermSums;
  /** Product of the halvings of the learning rate by rollbacks. */
  rateScale: number;
  /** The epoch with the lowest validation loss (training loss where there is no validation) so far. */
  best: { readonly epoch: number; readonly loss: number } | undefined;
}

export type TermSums = Record<Term, number> & { seen: number };

export function noTerms(): TermSums {
  return { loss: 0, reconstruction: 0, kl: 0, seen: 0 };
}

export function freshState(): LoopState {
  return {
    epoch: 0,
    position: 0,
    microBatch: 0,
    epochs: [],
    learningRate: 0,
    partial: noTerms(),
    rateScale: 1,
    best: undefined,
  };
}

/** The loss by which epochs are compared. */
export function epochLoss({ train, validation }: EpochProgress): number {
  return (validation ?? train).loss;
}
