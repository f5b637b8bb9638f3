/** Reads back what a run wrote as JSON lines. */
import { readFile } from 'node:fs/promises';
import { TERMS } from '../../architectures/names.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import type { LoggedEvent } from './metrics-log.js';

/** An event with the moment it was written, ISO 8601. */
export type MetricsLine = LoggedEvent & { readonly time: string };

/** What is no number, as the loss of an epoch whose batches were all skipped, stands as null in JSON. */
const TERM_NAMES: ReadonlySet<string> = new Set(TERMS);

/**
 * The events of a run, in order. What a killed run had logged beyond the checkpoint it was resumed from is left
 * out, and so is a last line that was cut short.
 *
 * @throws VaeError ERR_VAE_IO where there is no such file, ERR_VAE_FORMAT where a line in it is no event.
 */
export async function readMetrics(path: string): Promise<MetricsLine[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw ioError(error, `reading ${path}`);
  });
  const events: MetricsLine[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const event = parseLine(line);
    if (event === undefined) {
      // A crash cuts off a line, and the run that was resumed begins the next.
      if (line.startsWith('{') && !line.endsWith('}')) continue;
      throw new VaeError('ERR_VAE_FORMAT', `${path}, line ${index + 1}: expected the JSON of one event of a run.`);
    }
    if (event.kind === 'start') {
      while (events.length > 0 && isBeyond(events[events.length - 1]!, event)) events.pop();
    }
    events.push(event);
  }
  return events;
}

function parseLine(line: string): MetricsLine | undefined {
  try {
    const value = JSON.parse(line, (key, each) =>
      each === null && TERM_NAMES.has(key) ? Number.NaN : each,
    ) as MetricsLine | null;
    return typeof value?.kind === 'string' && typeof value.time === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an event tells of steps after the one a run goes on from. */
function isBeyond(event: MetricsLine, { step }: { readonly step: number }): boolean {
  return step === 0 || event.step === undefined || event.step > step;
}
