/** Lossy codecs as models of archives. */
import type { ModelClass } from '../models/find.js';
import { LOSSY_FILE, LossyCodec } from './lossy-codec.js';

/** A lossy codec, the path of its file or folder, or the name of a model of this package. */
export type LossyCodecInput = LossyCodec | string;

/** The model for pictures with loss that is used where none is named. */
export const DEFAULT_LOSSY_MODEL = 'photo-lossy';

export const LOSSY_CODECS: ModelClass<LossyCodec> = {
  ...{ called: 'a LossyCodec', file: LOSSY_FILE },
  is: (value) => value instanceof LossyCodec,
  fromBytes: (bytes, where, { threads = 0 }) => LossyCodec.fromBytes(bytes, where, { threads }),
};
