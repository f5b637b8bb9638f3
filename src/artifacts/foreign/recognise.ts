/** Models that other tools keep and this package does not open: what they are, and what makes of them what it does. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isVaeError, VaeError } from '../../core/errors.js';
import { isPointer } from '../../core/lfs.js';
import { readHead } from '../../core/ranges.js';

/** A kind of file or folder, and the way from there. */
interface Recognised {
  readonly what: string;
  readonly remedy: string;
}

const EXPORT =
  'In Python, with the class of the model: torch.onnx.export(encoder, (x,), "encoder.onnx", input_names=["x"], output_names=["mean", ' +
  '"log_variance"], dynamic_axes={"x": {0: "N"}}, dynamo=False), and the decoder likewise';
const OPTIMUM =
  'pip install "optimum[onnxruntime]" && optimum-cli export onnx --model FOLDER_OF_THE_PIPELINE OUT, then Vae.load("OUT")';

const KINDS = {
  pytorch: { what: 'a checkpoint of PyTorch, which holds weights and not what to compute with them', remedy: EXPORT },
  safetensors: { what: 'a file of safetensors, which holds weights and not what to compute with them', remedy: EXPORT },
  ort: {
    what: 'a model in the ORT format, which is made for one runtime and cannot be read back',
    remedy:
      'Give the .onnx file that it was made from (python -m onnxruntime.tools.convert_onnx_models_to_ort reads that, and keeps it)',
  },
  hdf5: {
    what: 'a Keras model in HDF5',
    remedy:
      "pip install tf2onnx && python -c \"import keras; keras.models.load_model('FILE').export('FOLDER')\" && " +
      'python -m tf2onnx.convert --saved-model FOLDER --output encoder.onnx --opset 18, for each half',
  },
  keras: {
    what: 'a Keras model',
    remedy:
      "pip install tf2onnx onnx && python -c \"import keras; keras.models.load_model('FILE').export('encoder.onnx', format='onnx')\", " +
      'for each half',
  },
  tflite: {
    what: 'a model of TensorFlow Lite',
    remedy:
      'pip install tf2onnx && python -m tf2onnx.convert --tflite FILE --output encoder.onnx --opset 18, for each half',
  },
  pointer: {
    what: 'a pointer of Git LFS and not the file itself',
    remedy: 'git lfs pull in that repository fetches it',
  },
  savedModel: {
    what: 'a SavedModel of TensorFlow',
    remedy:
      'pip install tf2onnx && python -m tf2onnx.convert --saved-model FOLDER --output encoder.onnx --opset 18, for each half',
  },
  diffusers: {
    what: "the weights of a diffusion model's autoencoder for PyTorch (diffusers)",
    remedy: OPTIMUM,
  },
  artifacts: {
    what: 'what onnxruntime-training made, graphs to train and a checkpoint',
    remedy:
      'TrainingSession.create({ artifacts: "FOLDER" }) trains it further, whatever it is; Vae.fromOnnx({ artifacts: "FOLDER" }) a VAE',
  },
  pair: {
    what: 'a folder with an encoder and a decoder in ONNX and no config.json',
    remedy:
      "Vae.load({ encoder: 'FOLDER/encoder.onnx', decoder: 'FOLDER/decoder.onnx' }) runs them, Vae.fromOnnx() trains them further",
  },
  onnx: {
    what: 'one ONNX graph, and a VAE has two',
    remedy: 'Vae.load({ encoder, decoder }) takes an encoder and a decoder; export each by itself',
  },
} as const satisfies Readonly<Record<string, Recognised>>;

const HEAD_BYTES = 512;
const text = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.subarray(from, to)).toString('latin1');

/** What a file is, by its first bytes. */
function recogniseBytes(head: Uint8Array, name = ''): Recognised | undefined {
  if (text(head, 4, 8) === 'ORTM') return KINDS.ort;
  if (text(head, 4, 8) === 'TFL3') return KINDS.tflite;
  if (text(head, 0, 8) === '\x89HDF\r\n\x1a\n') return KINDS.hdf5;
  if (isPointer(head)) return KINDS.pointer;
  if (text(head, 0, 4) === 'PK\x03\x04')
    return /\.keras$/i.test(name) || isKerasEntry(head) ? KINDS.keras : KINDS.pytorch;
  // Pickles of protocol 2 and later; PyTorch's first form begins with its magic number.
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return KINDS.pytorch;
  if (head.length >= 10 && isSafeTensors(head)) return KINDS.safetensors;
  return undefined;
}

/** The first name in a zip file. */
function isKerasEntry(head: Uint8Array): boolean {
  const length = head[26]! + 256 * head[27]!;
  return /^(metadata|config)\.json$|weights\.h5$/.test(text(head, 30, 30 + length));
}

function isSafeTensors(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length = view.getBigUint64(0, true);
  return length > 1n && length < 1n << 32n && text(head, 8, 10) === '{"';
}

async function recognisePath(path: string): Promise<Recognised | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile())
    return recogniseBytes(await headOf(path), path) ?? (/\.onnx$/i.test(path) ? KINDS.onnx : undefined);
  if (!found?.isDirectory()) return undefined;
  const names = await readdir(path);
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (names.includes('saved_model.pb')) return KINDS.savedModel;
  if (has(/^training_model\.(onnx|ort)$/) || (names.includes('checkpoint') && has(/^(eval|optimizer)_model\.onnx$/))) {
    return KINDS.artifacts;
  }
  if (has(/^diffusion_pytorch_model.*\.(safetensors|bin)$/) || names.includes('model_index.json'))
    return KINDS.diffusers;
  if (names.includes('encoder.onnx') && names.includes('decoder.onnx') && !names.includes('config.json'))
    return KINDS.pair;
  if (has(/\.onnx$/i)) return undefined;
  // What else there is decides by its weights.
  const weights = names.find((name) => /\.(safetensors|pt|pth|ckpt|bin|keras|h5|hdf5|tflite|ort|pkl)$/i.test(name));
  return weights === undefined ? undefined : recogniseBytes(await headOf(join(path, weights)), weights);
}

/** None of a file that cannot be read: what wanted to open it says why. */
function headOf(path: string): Promise<Uint8Array> {
  return readHead(path, HEAD_BYTES).catch(() => new Uint8Array(0));
}

/**
 * Runs what opens a model; where it fails on a file or folder of another tool, the error says what that is and which
 * command makes of it what can be opened.
 *
 * @param where the call, for the message.
 * @param sources paths, or the bytes of files.
 * @throws VaeError ERR_VAE_FORMAT for what is recognised; else what `work` throws.
 */
export async function explained<T>(
  where: string,
  sources: readonly (string | Uint8Array)[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isVaeError(error) || !OPENING.has(error.code)) throw error;
    for (const source of sources) {
      const found =
        typeof source === 'string' ? await recognisePath(source) : recogniseBytes(source.subarray(0, HEAD_BYTES));
      // Two graphs are what such calls take; what is wrong with them the error says.
      if (found === undefined || (found === KINDS.onnx && sources.length > 1)) continue;
      const name = typeof source === 'string' ? `"${source}"` : 'What was given';
      const remedy = found.remedy
        .replace(/\bFILE\b/g, typeof source === 'string' ? basename(source) : 'FILE')
        .replace(/\bFOLDER\b/g, typeof source === 'string' ? source : 'FOLDER');
      throw new VaeError('ERR_VAE_FORMAT', `${where}: ${name} is ${found.what}. To open it here: ${remedy}.`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Failures to open; others have nothing to do with what a file is. */
const OPENING: ReadonlySet<string> = new Set(['ERR_VAE_FORMAT', 'ERR_VAE_IO', 'ERR_VAE_GRAPH']);
