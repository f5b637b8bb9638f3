/** The Vae class with its verbs. Adding one is a file in verbs/ and a line here. */
import { Vae } from './vae.js';
import { batcher } from './verbs/batcher.js';
import { decode } from './verbs/decode.js';
import { decodeOnDevice } from './verbs/decode-on-device.js';
import { decodePicture } from './verbs/decode-picture.js';
import { encode } from './verbs/encode.js';
import { encodeOnDevice } from './verbs/encode-on-device.js';
import { encodePicture } from './verbs/encode-picture.js';
import { estimateFit } from './verbs/estimate-fit.js';
import { exportNetworks } from './verbs/export.js';
import { fit } from './verbs/fit.js';
import { latentStatistics } from './verbs/latent-statistics.js';
import { plot } from './verbs/plot.js';
import { profile } from './verbs/profile.js';
import { quantize } from './verbs/quantize.js';
import { read } from './verbs/read.js';
import { reconstruct } from './verbs/reconstruct.js';
import { reconstructFile } from './verbs/reconstruct-file.js';
import { resized } from './verbs/resized.js';
import { sample } from './verbs/sample.js';
import { save } from './verbs/save.js';
import { score } from './verbs/score.js';
import { stream } from './verbs/stream.js';
import { toCodec } from './verbs/to-codec.js';
import { warmUp } from './verbs/warm-up.js';

/** What the class has by itself. */
type Own =
  | 'info'
  | 'dataShape'
  | 'latentShape'
  | 'recipe'
  | 'provider'
  | 'parameter'
  | 'clone'
  | 'close'
  | typeof Symbol.asyncDispose;

/** The compiler complains where a verb that a file declares is missing here. */
const VERBS: Omit<Vae, Own> = {
  fit,
  estimateFit,
  encode,
  decode,
  reconstruct,
  sample,
  score,
  latentStatistics,
  plot,
  read,
  reconstructFile,
  encodePicture,
  decodePicture,
  encodeOnDevice,
  decodeOnDevice,
  save,
  export: exportNetworks,
  toCodec,
  quantize,
  resized,
  warmUp,
  batcher,
  stream,
  profile,
};

for (const [name, verb] of Object.entries(VERBS)) {
  // As methods of a class are: not enumerable.
  Object.defineProperty(Vae.prototype, name, { value: verb, writable: true, configurable: true });
}

export { Vae };
