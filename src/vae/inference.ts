/// <reference types="node" preserve="true" />
/**
 * Opens a model that is trained, encodes, decodes, scores and batches. Servers that do no more load
 * a part of the package only.
 *
 * @module node-vae/inference
 */
import type { OnnxPair } from '../inference/imported/open-imported.js';
import type { LoadOptions } from './options.js';
import { Vae } from './vae.js';
import { batcher } from './verbs/batcher.js';
import { decode } from './verbs/decode.js';
import { encode } from './verbs/encode.js';
import { reconstruct } from './verbs/reconstruct.js';
import { score } from './verbs/score.js';
import { warmUp } from './verbs/warm-up.js';

export { VaeError, type VaeErrorCode } from '../core/errors.js';
export type { ArrayWithShape, TensorLike } from '../core/tensor.js';
export type { OnnxPair } from '../inference/imported/open-imported.js';
export type { BatchInput } from '../inference/rows/rows.js';
export type { Batcher, BatcherOptions, RequestOptions, RowScores } from '../inference/serving/batcher.js';
export type { LoadOptions } from './options.js';

const VERBS = { encode, decode, reconstruct, score, warmUp, batcher };

/** What a Vae can do that was opened here. */
export type Model = Pick<
  Vae,
  keyof typeof VERBS | 'info' | 'dataShape' | 'latentShape' | 'provider' | 'close' | typeof Symbol.asyncDispose
>;

// The same class as the main entry's, which hangs all its verbs on it.
for (const [name, verb] of Object.entries(VERBS)) {
  if (name in Vae.prototype) continue;
  Object.defineProperty(Vae.prototype, name, { value: verb, writable: true, configurable: true });
}

/**
 * Opens a model as `Vae.load()` does: a directory, the name of a model of this package, or two ONNX files.
 *
 * @throws VaeError as `Vae.load()` does.
 */
export function loadModel(source: string | OnnxPair, options: LoadOptions = {}): Promise<Model> {
  return Vae.load(source, options);
}
