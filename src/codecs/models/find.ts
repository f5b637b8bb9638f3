/** From what a user names, or an archive needs, to a codec. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { packageFiles } from '../../core/package-files.js';
import { CODEC_FILE, Codec } from '../lossless/codec.js';
import { identityOf } from '../lossless/codec-model.js';
import { LOSSY_FILE, LossyCodec } from '../pictures/lossy-codec.js';
import { isFile, modelFileIn, readModelFile } from './model-file.js';

/** A codec, the path of its file or folder, or the name of a model of this package. */
export type CodecInput = Codec | string;
/** Likewise for pictures with loss. */
export type LossyCodecInput = LossyCodec | string;

/** The model for pictures with loss that is used where none is named. */
export const DEFAULT_LOSSY_MODEL = 'photo-lossy';

/** A codec and whether whoever asked for it must close it. */
export interface FoundCodec {
  readonly codec: Codec;
  readonly owned: boolean;
}

/** @throws VaeError ERR_VAE_IO where there is no such codec, with the names that exist. */
export async function findCodec(input: CodecInput, where: string): Promise<FoundCodec> {
  if (input instanceof Codec) return { codec: input, owned: false };
  if (typeof input !== 'string' || input === '') {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: option "model" should be a Codec, a path or the name of a model, received ${describeValue(input)}.`,
    );
  }
  return { codec: await Codec.load(await findModelFile(input, CODEC_FILE, where)), owned: true };
}

/** @throws VaeError ERR_VAE_IO where there is no such model, with the names that exist. */
export async function findLossyCodec(
  input: LossyCodecInput,
  where: string,
  threads: number,
): Promise<{ readonly codec: LossyCodec; readonly owned: boolean }> {
  if (input instanceof LossyCodec) return { codec: input, owned: false };
  if (typeof input !== 'string' || input === '') {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: option "model" should be a LossyCodec, a path or the name of a model, received ${describeValue(input)}.`,
    );
  }
  return { codec: await LossyCodec.load(await findModelFile(input, LOSSY_FILE, where), { threads }), owned: true };
}

async function findModelFile(input: string, file: string, where: string): Promise<string> {
  const found = (await modelFileIn(input, file)) ?? ((await isFile(input)) ? input : undefined);
  if (found !== undefined) return found;
  const shipped = /^[\w-]+$/.test(input) ? await modelFileIn(join(packageFiles().models, input), file) : undefined;
  if (shipped !== undefined) return shipped;
  const known = await shippedModels(file);
  throw new VaeError(
    'ERR_VAE_IO',
    `${where}: there is no codec model "${input}". The ones of this package are ${known.join(', ') || 'none'}.`,
  );
}

/** Names of the codec models that come with the package. */
export function shippedCodecs(): Promise<string[]> {
  return shippedModels(CODEC_FILE);
}

async function shippedModels(file: string): Promise<string[]> {
  const entries = await readdir(packageFiles().models).catch(() => [] as string[]);
  const found = await Promise.all(entries.map((name) => modelFileIn(join(packageFiles().models, name), file)));
  return entries.filter((_, index) => found[index]).sort();
}

/** The package's own codec with this identity, if it has it. */
export async function shippedCodecOf(identity: string): Promise<Codec | undefined> {
  const path = await shippedFileOf(identity, CODEC_FILE);
  return path === undefined ? undefined : Codec.load(path);
}

/** The package's own lossy model with this identity, if it has it. */
export async function shippedLossyCodecOf(identity: string, threads: number): Promise<LossyCodec | undefined> {
  const path = await shippedFileOf(identity, LOSSY_FILE);
  return path === undefined ? undefined : LossyCodec.load(path, { threads });
}

async function shippedFileOf(identity: string, file: string): Promise<string | undefined> {
  for (const name of await shippedModels(file)) {
    const { bytes, path } = await readModelFile(join(packageFiles().models, name), file);
    if (identityOf(bytes) === identity) return path;
  }
  return undefined;
}
