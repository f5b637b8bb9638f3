/** How much memory the values inside a graph need at one time. */
import { runOrder } from '../../artifacts/release-order.js';
import { elementCount } from '../../core/dtype.js';
import type { Model } from '../../graph/index.js';

/** Operators whose result is their input's memory under another shape. */
const VIEWS = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity']);
const BYTES: Readonly<Record<string, number>> = { float32: 4, int32: 4, int64: 8, float64: 8, float16: 2 };

/**
 * Bytes of the results that are alive together, at most, when nodes run in ONNX Runtime’s order and each result is let go of
 * after its last reader. All dimensions must be numbers; those that are not count as nothing. A runtime needs
 * somewhat more: for what operators use inside, and for gaps between blocks.
 *
 * @param elsewhere outputs that are written to memory of the caller's own.
 */
export function peakActivationBytes({ graph }: Model, elsewhere: ReadonlySet<string>): number {
  const nodes = runOrder(graph);
  const storage = new Map<string, string>();
  const rootOf = (name: string): string => storage.get(name) ?? name;
  const produced = new Set(nodes.flatMap(({ outputs }) => outputs));
  const lastReader = new Map<string, number>();
  nodes.forEach(({ op, inputs, outputs }, index) => {
    for (const name of inputs) if (name !== '') lastReader.set(rootOf(name), index);
    if (VIEWS.has(op) && outputs[0] !== undefined) storage.set(outputs[0], rootOf(inputs[0]!));
  });
  for (const { name } of graph.outputs) lastReader.set(rootOf(name), nodes.length);
  const bytesOf = (name: string): number => {
    const type = graph.types.get(name);
    if (type?.shape === undefined || type.shape.some((dim) => typeof dim !== 'number')) return 0;
    return elementCount(type.shape as readonly number[]) * (BYTES[type.dtype] ?? 1);
  };
  const endingAt = new Map<number, string[]>();
  for (const [name, index] of lastReader) endingAt.set(index, [...(endingAt.get(index) ?? []), name]);
  let alive = 0;
  let most = 0;
  nodes.forEach(({ outputs }, index) => {
    for (const name of outputs) {
      if (name !== '' && !storage.has(name) && !elsewhere.has(name)) alive += bytesOf(name);
    }
    most = Math.max(most, alive);
    for (const name of endingAt.get(index) ?? []) {
      if (produced.has(name) && !elsewhere.has(name)) alive -= bytesOf(name);
    }
    // What nobody reads is let go of at once.
    for (const name of outputs) {
      if (name !== '' && !storage.has(name) && !elsewhere.has(name) && !lastReader.has(name)) alive -= bytesOf(name);
    }
  });
  return most;
}
