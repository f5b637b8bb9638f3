/** Traces of ONNX Runtime's own profiler, joined into one that browsers' performance tools open. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ioError, writeFilesAtomically } from '../../core/files.js';
import type { Engine } from '../engine.js';
import type { SessionKind } from '../networks.js';

/** An event of the Trace Event Format; `ts` and `dur` in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/**
 * Runs `work` on sessions of its own that record what every operator takes, and writes the trace: one
 * process for each network, one event for each operator of each run.
 *
 * @throws VaeError ERR_VAE_IO where the file cannot be written; what `work` throws.
 */
export async function profileEngine<T>(
  engine: Engine,
  path: string,
  work: (profiled: Engine) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-profile-')).catch((error) => {
    throw ioError(error, 'profile(): making a folder for its traces');
  });
  try {
    const started = new Map<SessionKind, number>();
    const { networks } = engine;
    const profiled = engine.with({
      ...networks,
      open(kind, options) {
        started.set(kind, performance.now());
        return networks.open(kind, { ...options, profilePrefix: join(folder, kind) });
      },
    });
    try {
      const result = await work(profiled);
      const traces = new Map<SessionKind, string>();
      await profiled.eachSession((kind, session) => traces.set(kind, session.endProfiling()));
      await writeTrace(path, traces, started);
      return result;
    } finally {
      await profiled.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeTrace(
  path: string,
  traces: ReadonlyMap<SessionKind, string>,
  started: ReadonlyMap<SessionKind, number>,
): Promise<void> {
  const first = Math.min(...started.values());
  const events: TraceEvent[] = [];
  let process = 0;
  for (const [kind, file] of traces) {
    process += 1;
    const shift = (started.get(kind)! - first) * 1000;
    events.push({ name: 'process_name', ph: 'M', pid: process, args: { name: kind } });
    for (const event of JSON.parse(await readFile(file, 'utf8')) as TraceEvent[]) {
      events.push({ ...event, pid: process, ...(event.ts !== undefined && { ts: event.ts + shift }) });
    }
  }
  const text = JSON.stringify({ displayTimeUnit: 'ms', traceEvents: events });
  await writeFilesAtomically([{ path, chunks: [Buffer.from(text)] }]);
}
