/** vae.stream() */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { parseOptions } from '../../core/options.js';
import { ownLabels, rowLabels } from '../../inference/rows/labels.js';
import { type StreamItem, type StreamOptions, VaeStream } from '../../inference/serving/streams.js';
import type { Encoding } from '../call-options.js';
import { stateOf, type Vae } from '../vae.js';

const operationSchema = z.enum(['encode', 'decode', 'reconstruct']);

declare module '../vae.js' {
  interface Vae {
    /** One operation over a sequence of any length; see VaeStream for its three faces. */
    stream(operation: 'encode', options?: StreamOptions): VaeStream<Encoding>;
    stream(operation: 'decode' | 'reconstruct', options?: StreamOptions): VaeStream<Tensor>;
  }
}

export function stream(this: Vae, operation: 'encode', options?: StreamOptions): VaeStream<Encoding>;
export function stream(this: Vae, operation: 'decode' | 'reconstruct', options?: StreamOptions): VaeStream<Tensor>;
export function stream(
  this: Vae,
  operation: 'encode' | 'decode' | 'reconstruct',
  options: StreamOptions = {},
): VaeStream<Encoding | Tensor> {
  const { lifetime, engine } = stateOf(this);
  lifetime.check();
  parseOptions(operationSchema, operation, 'stream(), operation');
  const { label } = options;
  if (label !== undefined) rowLabels(engine.networks, label, undefined, 1, 'stream(), label');
  return new VaeStream<Encoding | Tensor>(options, ({ maxBatch }) => {
    // The stream itself bounds what waits.
    const batcher = this.batcher({ maxBatch, maxQueue: Number.MAX_SAFE_INTEGER });
    const run = (item: StreamItem) => {
      const labels = ownLabels(item) === undefined ? label : undefined;
      return batcher[operation](item, labels === undefined ? {} : { labels });
    };
    return { run, close: () => batcher.close() };
  });
}
