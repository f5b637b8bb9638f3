/** Workers in processes of their own, which take shards from this one. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { VaeError, type VaeErrorCode } from '../core/errors.js';
import { packageFiles } from '../core/package-files.js';
import type { Job, ShardResult } from './job.js';
import type { Runner } from './runner.js';
import { type ShardProgress, ShardWorker } from './shard.js';

/** What goes to a process. */
type Order =
  | { readonly kind: 'open'; readonly job: Job; readonly threads: number }
  | { readonly kind: 'run'; readonly job: Job; readonly shard: number; readonly maxErrors: number | null }
  | { readonly kind: 'stop'; readonly shard: number };

/** What comes from it, of a shard or, where that is undefined, of opening. */
type Answer = { readonly shard?: number | undefined } & (
  | { readonly kind: 'opened' }
  | { readonly kind: 'progress'; readonly progress: ShardProgress }
  | { readonly kind: 'run' }
  | { readonly kind: 'done'; readonly result: ShardResult }
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'failed';
      readonly code: string | undefined;
      readonly message: string;
      readonly progress: ShardProgress | undefined;
    }
);

/** Progress is told so often at most. */
const TELL_MS = 200;

/**
 * Pictures and rows lie outside of the heap that V8 collects, which begins so small that they have it collected all the
 * time: a tenth of what a job takes. Options of V8 belong to Node and its releases; those that know it: 20 to 26.
 */
function optionsOfNode(): string[] {
  const { versions } = process;
  const known = !('bun' in versions) && !('deno' in versions) && Number(versions.node.split('.')[0]) <= 26;
  return known ? ['--initial-old-space-size=64'] : [];
}

/** The command of this package that such a process is. */
const ARGUMENTS = ['jobs', 'process'];

/** @throws VaeError as ShardWorker.open(), and ERR_VAE_RUNTIME for a process that ended by itself. */
export async function openProcess(job: Job, threads: number): Promise<Runner> {
  const child = fork(join(packageFiles().root, 'dist', 'cli', 'main.js'), ARGUMENTS, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'json',
    execArgv: optionsOfNode(),
    // Ctrl-C goes to all processes of a terminal; this one tells the others when to stop.
    detached: process.platform !== 'win32',
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    if (child.connected) child.disconnect();
    await ended;
  };
  try {
    await ask(child, { kind: 'open', job, threads }, 'opened');
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async run(given, shard, { maxErrors, signal, onProgress, onRun }) {
      signal?.throwIfAborted();
      const stop = (): void => void (child.connected && child.send({ kind: 'stop', shard } satisfies Order));
      signal?.addEventListener('abort', stop, { once: true });
      try {
        const most = Number.isFinite(maxErrors) ? maxErrors : null;
        const order = { kind: 'run', job: given, shard, maxErrors: most } as const;
        const answer = await ask(child, order, 'done', { onProgress, onRun });
        if (answer.kind === 'done') return answer.result;
        throw signal?.reason ?? new Error('stopped');
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    },
    close,
  };
}

function ask(
  child: ChildProcess,
  order: Order,
  wanted: 'opened' | 'done',
  told: { onProgress?(progress: ShardProgress): void; onRun?: (() => void) | undefined } = {},
): Promise<Answer> {
  const shard = 'shard' in order ? order.shard : undefined;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      child.off('message', take);
      child.off('exit', ended);
    };
    const take = (answer: Answer): void => {
      if (answer.shard !== shard) return;
      if (answer.kind === 'progress' || answer.kind === 'run') {
        if (answer.kind === 'run') told.onRun?.();
        else told.onProgress?.(answer.progress);
        return;
      }
      settle();
      if (answer.kind === wanted || answer.kind === 'stopped') resolve(answer);
      else if (answer.kind === 'failed') {
        if (answer.progress !== undefined) told.onProgress?.(answer.progress);
        reject(errorOf(answer));
      }
    };
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      settle();
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      const memory =
        signal === 'SIGKILL' ? ' The system kills what takes too much memory: try fewer processes (--processes).' : '';
      reject(
        new VaeError(
          'ERR_VAE_RUNTIME',
          `A process of the job ended ${how}.${memory} What is done stays; run the job again.`,
        ),
      );
    };
    child.on('message', take as never);
    child.on('exit', ended);
    if (child.connected) child.send(order, (error) => error && reject(error));
    else ended(child.exitCode, child.signalCode);
  });
}

function errorOf({ code, message }: { readonly code: string | undefined; readonly message: string }): Error {
  return code?.startsWith('ERR_VAE_') ? new VaeError(code as VaeErrorCode, message) : new Error(message);
}

function failureOf(error: unknown): { kind: 'failed'; code: string | undefined; message: string } {
  const { code, message } = error as NodeJS.ErrnoException;
  return { kind: 'failed', code, message };
}

/** @internal What the process does: it runs shards until whoever started it lets go. */
export async function serveShards(): Promise<void> {
  if (process.send === undefined) {
    throw new VaeError('ERR_VAE_OPTION', 'jobs process: is started by jobs run, not by hand.');
  }
  const send = (answer: Answer): void => void (process.connected && process.send!(answer));
  const stopping = new Error('The job is to stop.');
  let worker: ShardWorker | undefined;
  const stops = new Map<number, AbortController>();
  const runOne = async ({ job, shard, maxErrors }: Order & { kind: 'run' }): Promise<void> => {
    const stop = new AbortController();
    stops.set(shard, stop);
    let told = 0;
    // What was not told yet.
    let waiting: ShardProgress | undefined;
    try {
      const result = await worker!.runShard(job, shard, {
        signal: stop.signal,
        ...(maxErrors !== null && { maxErrors }),
        onRun: () => send({ kind: 'run', shard }),
        onProgress: (progress) => {
          waiting = { ...progress, newErrors: [...(waiting?.newErrors ?? []), ...progress.newErrors] };
          const now = performance.now();
          if (now - told < TELL_MS) return;
          told = now;
          send({ kind: 'progress', shard, progress: waiting });
          waiting = undefined;
        },
      });
      send({ kind: 'done', shard, result });
    } catch (error) {
      if (error === stopping) send({ kind: 'stopped', shard });
      else send({ ...failureOf(error), shard, progress: waiting });
    } finally {
      stops.delete(shard);
    }
  };
  // The one that was started by a terminal is asked to stop by that one, not by the terminal.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => {});
  process.on('message', (order: Order) => {
    if (order.kind === 'stop') stops.get(order.shard)?.abort(stopping);
    else if (order.kind === 'run') void runOne(order);
    else {
      ShardWorker.open(order.job, { threads: order.threads }).then(
        (opened) => {
          worker = opened;
          send({ kind: 'opened' });
        },
        (error: unknown) => send({ ...failureOf(error), progress: undefined }),
      );
    }
  });
  await new Promise<void>((resolve) => {
    process.once('disconnect', () => {
      for (const stop of stops.values()) stop.abort(stopping);
      resolve();
    });
  });
  await worker?.close();
}
