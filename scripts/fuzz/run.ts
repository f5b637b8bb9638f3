/**
 * Fuzzes the parsers of outside bytes for longer than the tests do: npm run check:fuzz -- [MINUTES] [TARGET …]
 *
 * Each target runs in a process of its own, so that a crash is seen, named with its seed, and does not end the rest.
 * The seed of a fault goes into test/fuzz as a case, or repeats it here: FUZZ_SEED=N npm run check:fuzz -- 1 TARGET.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fuzzOne } from '../../test/fuzz/target.js';
import { makeTargets } from '../../test/fuzz/targets.js';

/** Without a word for so long, a target hangs. */
const SILENCE_MS = 120_000;
/** Resident memory that no input of these sizes may need. */
const MOST_RESIDENT = 2e9;

interface Report {
  readonly seed: number;
  readonly accepted: number;
  readonly refused: number;
  readonly fault?: string;
}

if (process.env['FUZZ_CHILD']) await child(process.env['FUZZ_CHILD']);
else process.exit(await parent(process.argv.slice(2)));

async function child(name: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-fuzz-'));
  const target = (await makeTargets(folder)).find((candidate) => candidate.name === name)!;
  const outcomes = { accepted: 0, refused: 0 };
  const until = Date.now() + Number(process.env['FUZZ_MS']);
  // The tests have the first seeds.
  const first = Number(process.env['FUZZ_SEED'] ?? 1_000_000 + (Date.now() % 1_000_000_000));
  let seed = first;
  let fault: string | undefined;
  const tell = () => process.send!({ seed, ...outcomes, ...(fault !== undefined && { fault }) } satisfies Report);
  for (; Date.now() < until && fault === undefined; seed += 1) {
    if (seed % 50 === 0) tell();
    await fuzzOne(target, seed, outcomes).catch((error: Error) => {
      fault = error.message;
    });
    if (process.memoryUsage().rss > MOST_RESIDENT) fault = `seed ${seed}: ${process.memoryUsage().rss} bytes resident`;
  }
  tell();
  await rm(folder, { recursive: true, force: true });
  process.disconnect();
}

async function parent(args: string[]): Promise<number> {
  const minutes = Number(args[0] ?? 10);
  if (!(minutes > 0)) throw new Error(`Expected a number of minutes, received ${args[0]}.`);
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-fuzz-'));
  const names = (await makeTargets(folder)).map(({ name }) => name);
  await rm(folder, { recursive: true, force: true });
  const chosen = args.length > 1 ? args.slice(1) : names;
  const unknown = chosen.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`No target ${unknown.join(', ')}; there are: ${names.join(', ')}.`);
  let faults = 0;
  for (const name of chosen) {
    const { last, fault } = await watch(name, (minutes * 60_000) / chosen.length);
    const counts = `${last?.accepted ?? 0} read, ${last?.refused ?? 0} refused`;
    console.log(
      `${fault === undefined ? 'clean' : 'FAULT'}  ${name.padEnd(20)} ${counts}${fault ? `\n       ${fault}` : ''}`,
    );
    if (fault !== undefined) faults += 1;
  }
  return faults === 0 ? 0 : 1;
}

/** Runs one target in a process and says how it ended. */
function watch(name: string, ms: number): Promise<{ last: Report | undefined; fault: string | undefined }> {
  return new Promise((resolve) => {
    const running: ChildProcess = fork(fileURLToPath(import.meta.url), {
      env: { ...process.env, FUZZ_CHILD: name, FUZZ_MS: String(ms) },
    });
    let last: Report | undefined;
    let fault: string | undefined;
    let timer = setTimeout(hang, SILENCE_MS);
    function hang(): void {
      fault = `hangs at one of the 50 seeds after ${last?.seed}`;
      running.kill('SIGKILL');
    }
    running.on('message', (report: Report) => {
      last = report;
      fault = report.fault ?? fault;
      clearTimeout(timer);
      timer = setTimeout(hang, SILENCE_MS);
    });
    running.once('exit', (code, signal) => {
      clearTimeout(timer);
      if (code !== 0 && fault === undefined) {
        fault = `the process ended with ${signal ?? code} at one of the 50 seeds after ${last?.seed}`;
      }
      resolve({ last, fault });
    });
  });
}
