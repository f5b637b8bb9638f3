/** One operation over a sequence: a stream of requests to a batcher of its own. */
import type { Tensor } from 'onnxruntime-common';
import { ownLabels } from '../inference/rows/labels.js';
import type { Batcher, BatcherOptions } from '../serving/batcher.js';
import { type StreamItem, type StreamOptions, VaeStream } from '../serving/streams.js';
import type { Encoding } from './options.js';

/** See Vae.stream(). `open` gives the batcher that each use of the stream is to have and to close. */
export function streamOf(
  operation: 'encode' | 'decode' | 'reconstruct',
  options: StreamOptions,
  open: (options: BatcherOptions) => Batcher,
): VaeStream<Encoding | Tensor> {
  const { label } = options;
  return new VaeStream<Encoding | Tensor>(options, ({ maxBatch }) => {
    // The stream itself bounds what waits.
    const batcher = open({ maxBatch, maxQueue: Number.MAX_SAFE_INTEGER });
    const run = (item: StreamItem) => {
      const labels = ownLabels(item) === undefined ? label : undefined;
      return batcher[operation](item, labels === undefined ? {} : { labels });
    };
    return { run, close: () => batcher.close() };
  });
}
