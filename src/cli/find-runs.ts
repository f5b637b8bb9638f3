/** Runs in a tree of folders, and how they stand. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochProgress, RunPart, RunRecord } from '../index.js';
import { CliError } from './errors.js';
import { note } from './output.js';

const RUN_FILE = 'run.json';
export const METRICS_FILE = 'metrics.jsonl';
const DEPTH = 3;

export interface FoundRun {
  readonly directory: string;
  readonly record: RunRecord;
  /** The part that ran last. */
  readonly last: RunPart;
  readonly state: 'done' | 'stopped' | 'interrupted' | 'killed' | 'failed' | 'running';
  /** The last epoch that was completed. */
  readonly epoch: EpochProgress | undefined;
}

/**
 * Runs among the given folders and below them, the earliest first. What cannot be read is told and left out.
 *
 * @throws CliError ERR_VAE_IO for a folder that is not there.
 */
export async function findRuns(folders: readonly string[]): Promise<FoundRun[]> {
  const directories = new Set<string>();
  for (const folder of folders) {
    if (!existsSync(folder)) {
      throw new CliError('ERR_VAE_IO', `There is no folder "${folder}". Name run directories, or folders of them.`);
    }
    await search(folder, DEPTH, directories);
  }
  const runs: FoundRun[] = [];
  for (const directory of directories) {
    try {
      runs.push(await openRun(directory));
    } catch (error) {
      note(`${directory} is left out: ${(error as Error).message}`);
    }
  }
  return runs.sort((left, right) => left.last.started.localeCompare(right.last.started));
}

export async function openRun(directory: string): Promise<FoundRun> {
  const { readMetrics, readRunRecord } = await import('../index.js');
  const record = await readRunRecord(directory);
  const last = record.parts[record.parts.length - 1]!;
  const metrics = join(directory, METRICS_FILE);
  const events = existsSync(metrics) ? await readMetrics(metrics) : [];
  const epoch = events.findLast((event) => event.kind === 'epoch');
  return { directory, record, last, state: stateOf(last), epoch };
}

function stateOf({ outcome, pid }: RunPart): FoundRun['state'] {
  if (outcome === 'aborted') return 'interrupted';
  if (outcome !== 'running') return outcome;
  return isAlive(pid) ? 'running' : 'killed';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function search(folder: string, depth: number, found: Set<string>): Promise<void> {
  if (existsSync(join(folder, RUN_FILE))) {
    found.add(folder);
    return;
  }
  if (depth === 0) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    await search(join(folder, entry.name), depth - 1, found);
  }
}
