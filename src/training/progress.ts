import type { Term } from '../architectures/names.js';

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
  /** L2 norm of what the last optimizer step changed in the parameters. */
  readonly updateNorm: number;
  /** What else the objective tells of the last batch, by name; absent for objectives of a Vae. */
  readonly scalars?: Readonly<Record<string, number>> | undefined;
  readonly examplesPerSecond: number;
  /** Until the end of the last epoch, at the pace so far. */
  readonly secondsLeft: number;
}

/** What the latents say about the examples, measured with the parameters at the end of an epoch. */
export interface LatentUse {
  /** Latent dimensions of all layers. */
  readonly units: number;
  /** Dimensions whose posterior mean varies over the examples (Burda et al. 2016, A_u above 0.01). */
  readonly activeUnits: number;
  /**
   * Mean KL divergence of each dimension in nats, in the order of the latent. Absent where the divergence is no
   * sum over dimensions.
   */
  readonly klPerDimension?: readonly number[] | undefined;
  /** Dimensions with a divergence under the bound of `collapse`; absent where it is not known by dimension. */
  readonly collapsed?: number | undefined;
  /** Examples this was measured on: of the validation data, else of the training data. */
  readonly rows: number;
}

export interface EpochProgress {
  readonly kind: 'epoch';
  readonly epoch: number;
  readonly epochs: number;
  /**
   * Means over the epoch's examples as they were seen, while the parameters moved; without those of batches that were
   * skipped (`onNonFinite`), and NaN where all were.
   */
  readonly train: Terms;
  readonly validation?: Terms | undefined;
  readonly latents?: LatentUse | undefined;
  /** Of the epoch's last step, as is `klWeight`. */
  readonly learningRate: number;
  readonly klWeight?: number | undefined;
  /** Mean over the epoch's optimizer steps of the gradient's global L2 norm, before clipping. */
  readonly gradientNorm?: number | undefined;
  /** Mean over the epoch's optimizer steps of the L2 norm of the change of the parameters. */
  readonly updateNorm?: number | undefined;
  /** Batches done in this run. */
  readonly step?: number | undefined;
  readonly seconds: number;
  readonly examplesPerSecond: number;
  /** Until the end of the last epoch, at the pace so far. */
  readonly secondsLeft?: number | undefined;
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
  /** Whether early stopping, or `stop()` of a callback, ended the run before its last epoch. */
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
