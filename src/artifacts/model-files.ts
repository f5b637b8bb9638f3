/** The files of a model directory: their names, and how one is read and held against its checksum. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { refusePointer } from '../core/lfs.js';
import type { ModelConfig } from './config.js';

export const CONFIG_FILE = 'config.json';
export const ENCODER_FILE = 'encoder.onnx';
export const DECODER_FILE = 'decoder.onnx';
/** Draws from the prior, where it is not the standard normal. */
export const PRIOR_FILE = 'prior.onnx';
/** Draws from the posterior, where mean and variance do not tell all, of models in 8-bit integers. */
export const POSTERIOR_FILE = 'posterior.onnx';
/** The evidence lower bound of models in 8-bit integers, which others make from their parameters. */
export const OBJECTIVE_FILE = 'objective.onnx';
/** Parameters that neither graph holds, such as a learned variance. */
export const EXTRA_PARAMETERS_FILE = 'parameters.safetensors';
/** What opens the model without its recipe. */
export const SUMMARY_FILE = 'summary.json';
/** Training artifacts lie in a folder of their own. */
export const TRAINING_FOLDER = 'training';

export interface ModelFile {
  /** Name within the directory. */
  readonly name: string;
  readonly chunks: readonly Uint8Array[];
}

/** The text of config.json. @throws VaeError ERR_VAE_IO where there is no such file, ERR_VAE_FORMAT for a pointer to it. */
export async function readConfigText(directory: string): Promise<string> {
  const path = join(directory, CONFIG_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw ioError(error, `opening the model: reading ${path}`);
  }
  refusePointer(Buffer.from(text), path);
  return text;
}

/**
 * Reads one file of a model and holds it against the checksum in its config.
 *
 * @throws VaeError ERR_VAE_FORMAT where it is missing, truncated or altered.
 */
export async function readModelFile(
  directory: string,
  { files }: Pick<ModelConfig, 'files'>,
  name: string,
): Promise<Uint8Array> {
  const path = join(directory, name);
  const expected = files[name];
  if (expected === undefined) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${join(directory, CONFIG_FILE)} lists no file "${name}": the model is incomplete.`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (!missing) throw ioError(cause, `reading ${path}`);
    throw new VaeError('ERR_VAE_FORMAT', `${path} is missing: copy the whole model directory.`, { cause });
  }
  refusePointer(bytes, path);
  const found = checksum([bytes]);
  if (found.byteLength !== expected.byteLength) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${path} is truncated or altered: it has ${found.byteLength} bytes, config.json says ${expected.byteLength}.`,
    );
  }
  if (found.sha256 !== expected.sha256) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${path} is altered: its SHA-256 is ${found.sha256}, config.json says ${expected.sha256}. Save the model again, or restore the file.`,
    );
  }
  return bytes;
}

export function checksum(chunks: readonly Uint8Array[]): { sha256: string; byteLength: number } {
  const hash = createHash('sha256');
  let byteLength = 0;
  for (const chunk of chunks) {
    hash.update(chunk);
    byteLength += chunk.byteLength;
  }
  return { sha256: hash.digest('hex'), byteLength };
}
