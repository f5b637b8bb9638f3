/** Runs the soak programs and judges what they say. */
import { join } from 'node:path';
import { execute } from '../package/execute.js';
import { PACKAGE_ROOT, succeed } from '../package/packed.js';

interface Sample {
  readonly resident: number;
  readonly openFiles: number;
}

export interface Soaked {
  /** Growth of resident memory between the second fifth and the last, bytes for each round. */
  readonly bytesPerRound: number;
  /** Open files at the end, less those after the first fifth. */
  readonly moreFiles: number;
  readonly residentMb: readonly number[];
  /** Handles that would keep the process, or that work went on afterwards. */
  readonly left: unknown;
}

/** @throws Error where the program ends with another code than 0. */
export async function soak(program: 'rounds' | 'workers', rounds: number): Promise<Soaked> {
  const path = join(PACKAGE_ROOT, 'scripts', 'soak', `${program}.mjs`);
  const { stdout } = await succeed(execute(process.execPath, ['--expose-gc', path, String(rounds)]));
  const said = JSON.parse(stdout) as { samples: Sample[]; held?: string[]; works?: boolean };
  const { samples } = said;
  const fifth = Math.floor(samples.length / 5);
  // Medians: a garbage collection more or less moves single rounds by megabytes.
  const early = samples.slice(fifth, 2 * fifth);
  const late = samples.slice(-fifth);
  return {
    bytesPerRound: (median(late, 'resident') - median(early, 'resident')) / (samples.length - 2 * fifth),
    moreFiles: median(late, 'openFiles') - median(early, 'openFiles'),
    residentMb: [early, late].map((part) => Math.round(median(part, 'resident') / 1e5) / 10),
    left: said.held ?? said.works,
  };
}

function median(samples: readonly Sample[], key: keyof Sample): number {
  const values = samples.map((sample) => sample[key]).sort((a, b) => a - b);
  return values[values.length >> 1]!;
}
