/** Connects an AbortSignal to work in native code. */
import '../core/disposal-symbols.js';
import { onceAborted } from '../core/abort-listeners.js';
import type { Addon, NativeAbortFlag } from './addon.js';

export interface AbortLink {
  /** Pass this to native calls; absent when there is no signal. */
  readonly flag: NativeAbortFlag | undefined;
  /** Throws `signal.reason` once the signal has fired. */
  throwIfAborted(): void;
  /** Waits for native work; rejects with `signal.reason` if the signal has fired by then. */
  wait<T>(work: Promise<T>): Promise<T>;
  /** Removes the listener from the signal. */
  [Symbol.dispose](): void;
}

/**
 * Makes the link. Throws `signal.reason` at once when the signal has already fired.
 * Use with `using`, or call `[Symbol.dispose]()` when the work has ended.
 */
export function linkAbort(addon: Pick<Addon, 'AbortFlag'>, signal: AbortSignal | undefined): AbortLink {
  if (signal === undefined) {
    return { flag: undefined, throwIfAborted() {}, wait: (work) => work, [Symbol.dispose]() {} };
  }
  signal.throwIfAborted();
  const flag = new addon.AbortFlag();
  const stop = onceAborted(signal, () => flag.abort());
  return {
    flag,
    throwIfAborted: () => signal.throwIfAborted(),
    async wait(work) {
      try {
        return await work;
      } finally {
        signal.throwIfAborted();
      }
    },
    [Symbol.dispose]() {
      stop();
    },
  };
}
