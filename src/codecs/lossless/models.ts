/** Codecs as models of archives. */
import { type ModelClass, shippedNames } from '../models/find.js';
import { CODEC_FILE, Codec } from './codec.js';

/** A codec, the path of its file or folder, or the name of a model of this package. */
export type CodecInput = Codec | string;

export const CODECS: ModelClass<Codec> = {
  ...{ called: 'a Codec', file: CODEC_FILE },
  is: (value) => value instanceof Codec,
  fromBytes: (bytes, where) => Codec.fromBytes(bytes, where),
};

/** Names of the codec models that come with the package. */
export function shippedCodecs(): Promise<string[]> {
  return shippedNames(CODECS);
}
