/** What a callback can do with the run that calls it. */
import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';
import type { LoopState } from './loop/loop-state.js';

/**
 * Given to `onProgress` with every event. What changes the run takes effect with the next batches. Step events
 * come about ten times a second, at steps that depend on the machine's pace: a run that is to be repeated bit for
 * bit must be changed at epoch events only.
 */
export interface FitControl {
  /** Ends the run after the batches under way; its promise resolves with the history so far. */
  stop(): void;
  /**
   * Multiplies the learning rate from here on, on top of its schedule. Checkpoints hold it.
   *
   * @throws VaeError ERR_VAE_OPTION for what is no number above 0.
   */
  scaleLearningRate(factor: number): void;
  /**
   * Multiplies β, the weight of the KL divergence, from here on, on top of its schedule. Checkpoints hold it.
   *
   * @throws VaeError ERR_VAE_OPTION for what is no number from 0.
   */
  scaleKlWeight(factor: number): void;
  /**
   * Writes a checkpoint of this moment into the run's directory. Where it fails, so does the run at its end.
   *
   * @throws VaeError (as a rejection) ERR_VAE_OPTION where fit() was given no `checkpoint`, ERR_VAE_IO.
   */
  saveCheckpoint(): Promise<void>;
  /**
   * Writes a model directory with the parameters of this moment, as `vae.save()` does. Where it fails, so does the
   * run at its end.
   *
   * @throws VaeError (as a rejection) ERR_VAE_IO.
   */
  saveModel(directory: string): Promise<void>;
  /**
   * A copy of the parameters of this moment: what training averaged, where it averages. Training goes on as it was.
   *
   * @throws VaeError ERR_VAE_DISPOSED after the run.
   */
  parameters(): MomentParameters;
}

/** Values of one moment of a run: copies. */
export interface MomentParameters {
  /** Every trainable parameter, one after another. */
  readonly values: Float32Array;
  /** What the model keeps besides, such as running means, by name. */
  readonly states: Readonly<Record<string, Float32Array>>;
}

/** How saving is done; called between batches. */
export interface ControlActions {
  saveCheckpoint(): Promise<void>;
  saveModel(directory: string): Promise<void>;
  parameters(): MomentParameters;
}

/** A control of one run, and what the run sees of it. */
export class RunControl implements FitControl {
  readonly #state: LoopState;
  readonly #actions: ControlActions;
  readonly #saving = new Set<Promise<void>>();
  #failure: { readonly reason: unknown } | undefined;
  #stopped = false;
  #ended = false;

  constructor(state: LoopState, actions: ControlActions) {
    this.#state = state;
    this.#actions = actions;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#check();
    this.#stopped = true;
  }

  scaleLearningRate(factor: number): void {
    this.#check();
    if (!(typeof factor === 'number' && factor > 0 && Number.isFinite(factor))) {
      throw refused('scaleLearningRate()', 'a number above 0', factor);
    }
    this.#state.rateScale *= factor;
  }

  scaleKlWeight(factor: number): void {
    this.#check();
    if (!(typeof factor === 'number' && factor >= 0 && Number.isFinite(factor))) {
      throw refused('scaleKlWeight()', 'a number from 0', factor);
    }
    this.#state.klScale *= factor;
  }

  saveCheckpoint(): Promise<void> {
    return this.#save(() => this.#actions.saveCheckpoint());
  }

  saveModel(directory: string): Promise<void> {
    return this.#save(() => this.#actions.saveModel(directory));
  }

  parameters(): MomentParameters {
    this.#check();
    return this.#actions.parameters();
  }

  /** Waits for saving under way. @throws what saving failed with. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled(this.#saving);
    if (this.#failure) throw this.#failure.reason;
  }

  /** The run's end tells of what failed here, so that nobody has to wait for the promise. */
  #save(work: () => Promise<void>): Promise<void> {
    this.#check();
    const saving = work();
    this.#saving.add(saving);
    saving
      .catch((reason: unknown) => {
        this.#failure ??= { reason };
      })
      .finally(() => this.#saving.delete(saving));
    return saving;
  }

  #check(): void {
    if (this.#ended) throw new VaeError('ERR_VAE_DISPOSED', 'The run that this control belongs to has ended.');
  }
}

function refused(call: string, expected: string, received: unknown): VaeError {
  return new VaeError('ERR_VAE_OPTION', `${call}: expected ${expected}, received ${describeValue(received)}.`);
}
