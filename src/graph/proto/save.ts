import type { Model } from '../ir.js';
import { encodeModel } from './write.js';

/** The bytes of a model as an ONNX file. */
export function writeModel(model: Model): Uint8Array {
  return encodeModel(model);
}
