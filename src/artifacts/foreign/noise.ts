/** Graphs that draw random numbers of their own on the way to what is used. */
import { createReadStream } from 'node:fs';
import { warn } from '../../core/warn.js';
import type { Model } from '../../graph/ir.js';
import { isRandom, RANDOM, Trace } from './trace.js';

/** Says where a value that is used is another with every run. */
export function warnOfNoise(model: Model, half: string, wanted: readonly string[]): void {
  const trace = new Trace(model.graph);
  const noisy = wanted.find((name) => trace.isRandom(name));
  if (noisy === undefined) return;
  const leading = trace.leadingTo(noisy);
  const node = model.graph.nodes.find((each) => isRandom(each) && leading.has(each.outputs[0]!))!;
  warn(
    `The ${half}'s "${noisy}" depends on random numbers that the graph draws itself (${node.op}, node "${node.name}"), which no seed ` +
      'of this package governs: results and training differ from run to run. Export the model in evaluation mode, or without the noise.',
    'WARN_VAE_NOISE',
  );
}

const LONGEST = Math.max(...[...RANDOM].map((name) => name.length));

/** Whether the name of an operator that draws stands anywhere in a file: cheap beside reading the graph, which tells for sure. */
export async function namesNoise(model: string | Uint8Array): Promise<boolean> {
  const has = (bytes: Buffer): boolean => [...RANDOM].some((name) => bytes.includes(name));
  if (typeof model !== 'string') return has(Buffer.from(model.buffer, model.byteOffset, model.byteLength));
  let tail = Buffer.alloc(0);
  for await (const chunk of createReadStream(model, { highWaterMark: 2 ** 20 })) {
    const bytes = Buffer.concat([tail, chunk as Buffer]);
    if (has(bytes)) return true;
    tail = bytes.subarray(-LONGEST);
  }
  return false;
}
