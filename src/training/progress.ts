import type { Term } from '../architectures/graphs.js';

/** Means over examples, in nats. */
export type Terms = Readonly<Record<Term, number>>;

export interface StepProgress extends Terms {
  readonly kind: 'step';
  /** Epoch under way, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Batches done in this run, and how many there are. */
  readonly step: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly klWeight: number;
  /** Global L2 norm of the last gradient, before clipping. */
  readonly gradientNorm: number;
  readonly examplesPerSecond: number;
  readonly secondsLeft: number;
}

export interface EpochProgress {
  readonly kind: 'epoch';
  readonly epoch: number;
  readonly epochs: number;
  /** Means over the epoch's examples as they were seen, while the parameters moved. */
  readonly train: Terms;
  readonly validation?: Terms | undefined;
  readonly learningRate: number;
  readonly seconds: number;
  readonly examplesPerSecond: number;
}

/** Something the run went on after, and that its owner should know. */
export interface WarningProgress {
  readonly kind: 'warning';
  readonly epoch: number;
  readonly step: number;
  readonly message: string;
}

export type FitProgress = StepProgress | EpochProgress | WarningProgress;

/** What a whole run was like. */
export interface History {
  /** One entry for each epoch, those before a resume included. */
  readonly epochs: readonly EpochProgress[];
  /** The epoch with the lowest validation loss (training loss where there is no validation). */
  readonly bestEpoch: number;
  /** Whether early stopping ended the run before its last epoch. */
  readonly stoppedEarly: boolean;
  /** Seconds of training in this call, validation included. */
  readonly seconds: number;
  readonly examplesPerSecond: number;
  /** Where the seconds of this call went. */
  readonly breakdown: {
    readonly assemble: number;
    readonly graph: number;
    readonly optimizer: number;
    readonly validation: number;
  };
}
