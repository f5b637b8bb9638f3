/**
 * Peak memory of our training step, measured in a process of its own. Started as a line peer with a net's
 * name, the batch and the threads; answers once with `peakBytes`: the highest resident memory of a few steps
 * over what the process held before the model was made.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadRuntime } from '../../src/binding/index.js';
import { LinePeer } from './line-peer.js';
import { openNet } from './net-trainer.js';
import { NETS, type NetName } from './nets.js';

export interface StepMemoryRequest {
  readonly net: NetName;
  readonly batch: number;
  readonly threads: number;
  readonly steps: number;
}

/** Runs this file as a child process; undefined where the system does not say (not Linux). */
export async function ourPeakBytes(request: StepMemoryRequest): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const script = fileURLToPath(import.meta.url);
  const { peer, ready } = await LinePeer.start(process.execPath, [
    ...process.execArgv,
    script,
    JSON.stringify(request),
  ]);
  await peer.close();
  return ready['peakBytes'] as number;
}

function status(key: string): number {
  const line = readFileSync('/proc/self/status', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${key}:`));
  return Number(/\d+/.exec(line ?? '')?.[0]) * 1024;
}

async function main({ net, batch, threads, steps }: StepMemoryRequest): Promise<void> {
  loadRuntime();
  const size = NETS[net]().dataShape.reduce((product, dim) => product * dim, 1);
  const data = Uint8Array.from({ length: 4 * batch * size }, (_, i) => (i * 7919) & 255);
  writeFileSync('/proc/self/clear_refs', '5');
  const before = status('VmRSS');
  const trainer = await openNet(net, { data, batch, threads });
  await trainer.train(steps);
  process.stdout.write(`${JSON.stringify({ ready: true, peakBytes: status('VmHWM') - before })}\n`);
  await trainer.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2]!) as StepMemoryRequest);
