/** What a page looks at: a model with data, a run of training, an archive. */
import type { Frame, FrameArray } from './frames.js';
import type { State } from './types.js';

/** A question over the socket. */
export interface Question {
  readonly op: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly arrays: Readonly<Record<string, FrameArray>>;
  readonly signal: AbortSignal;
}

export interface Subject {
  state(): State;
  /** Arrays of all rows, by the name of the part; undefined where there is no such part (yet). */
  part(name: string): Frame | undefined;
  /** @throws VaeError ERR_VAE_OPTION for questions that are none. */
  answer(question: Question): Promise<Frame>;
  /** Reads a file that was dropped on the page. */
  upload?(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<Frame>;
  /** Calls `listener` whenever the state changes. @returns what ends that. */
  subscribe(listener: () => void): () => void;
  /** Somebody opened the page, or the last one closed it. */
  watched?(count: number): void;
  close(): Promise<void>;
}

/** Those who want to know of a change. */
export class Listeners {
  readonly #all = new Set<() => void>();

  add(listener: () => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(): void {
    for (const listener of this.#all) listener();
  }
}
