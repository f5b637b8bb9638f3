/** Models of photographs as models of archives. */
import type { ModelClass } from '../models/find.js';
import { PHOTO_FILE, PhotoCodec } from './photo-codec.js';

/** The model for photographs without loss that is used where none is named. */
export const DEFAULT_PHOTO_MODEL = 'photo-lossless';

export const PHOTO_CODECS: ModelClass<PhotoCodec> = {
  ...{ called: 'a PhotoCodec', file: PHOTO_FILE },
  is: (value) => value instanceof PhotoCodec,
  fromBytes: (bytes, where) => PhotoCodec.fromBytes(bytes, where),
};
