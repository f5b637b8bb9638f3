/** What the .node file itself exports, where that differs from the typed face in addon.ts. */
import type { TypedArray } from '../core/dtype.js';
import type { Addon, NativeAbortFlag, NativeInferenceSession, NativeTensor, SessionOptions } from './addon.js';

export interface RawAddon extends Omit<Addon, 'createInferenceSession'> {
  /**
   * Called once. `makeError` makes every error that native code raises. Native code sets
   * `pollRequest[0]` when it wants pollCompletions() to be called in the event loop's next turns: to 1, or
   * to 2 when it should be called a first time as soon as the code now running is done. `threads`: see
   * threadLimit(); 0 where there is none.
   */
  configure(
    makeError: (code: string, message: string, ortCode?: number) => Error,
    pollRequest: Int32Array,
    threads: number,
  ): void;
  /** Settles the promises of finished work; true when it wants to be called in the next turn. `turn`: this is one. */
  pollCompletions(turn: boolean): boolean;
  createInferenceSession(model: string | Uint8Array, options: SessionOptions): Promise<RawInferenceSession>;
}

export interface RawInferenceSession extends NativeInferenceSession {
  /** Remembers the shapes of a run in a slot, 0 to 255. */
  prepare(
    slot: number,
    inputDims: readonly (readonly number[])[],
    outputNames: readonly string[],
    outputDims: readonly (readonly number[])[],
  ): void;
  /**
   * Runs with the shapes of a slot. `holder` is [...inputs, ...outputs, results]: arrays in the order of
   * the shapes, and the value of the promise. Bit i of `callerOwned` says that output i is not ours to
   * replace. Returns undefined when an array does not fit, or the slot's shapes have proved wrong.
   */
  runPrepared(
    slot: number,
    holder: readonly (TypedArray | readonly NativeTensor[])[],
    callerOwned: number,
    abort: NativeAbortFlag | undefined,
    checkFinite: boolean,
  ): Promise<NativeTensor[]> | undefined;
}
