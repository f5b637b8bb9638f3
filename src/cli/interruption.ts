/** Ctrl-C and SIGTERM: the first asks work to stop in good order, the second ends the process at once. */
import { EXIT } from './exit-codes.js';

export interface Interruption {
  readonly signal: AbortSignal;
  /** Gives the signals back to Node. */
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function watchForInterruption(): Interruption {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    // Whoever draws a progress bar takes it down first.
    controller.abort(new Error(`Interrupted by ${name}.`));
    process.stderr.write(
      `${process.stderr.isTTY ? '\n' : ''}${name === 'SIGINT' ? 'Interrupted' : 'Asked to stop'}: finishing the step in flight (again to stop at once).\n`,
    );
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
