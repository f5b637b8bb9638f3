/** Where answers come from: a server of node-vae, or files and the decoder in this browser. */
import type { Frame, FrameArray } from '../../../src/entries/explorer/frames.js';
import type { ArchiveState, Display, ModelState, State } from '../../../src/entries/explorer/types.js';

export type { ArchiveState, Display, Frame, ModelState, State };

export type Arrays = Readonly<Record<string, FrameArray>>;

export interface Backend {
  /** Whether files can be dropped. */
  readonly reads: boolean;
  readonly state: State;
  /** Calls back with every change of the state, and when the connection is lost. */
  subscribe(listener: () => void): () => void;
  /** Undefined where there is no such part yet. */
  part(name: string): Promise<Frame | undefined>;
  ask(op: string, header?: object, arrays?: Arrays, signal?: AbortSignal): Promise<Frame>;
  upload(name: string, bytes: ArrayBuffer): Promise<Frame>;
  readonly lost: boolean;
}
