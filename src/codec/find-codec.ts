/** From what a user names, or an archive needs, to a codec. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';
import { CODEC_FILE, Codec } from './codec.js';

/** The models that come with the package; src/codec and dist/codec are equally deep. */
const SHIPPED_MODELS = fileURLToPath(new URL('../../models', import.meta.url));

/** A codec, the path of its file or folder, or the name of a model of this package. */
export type CodecInput = Codec | string;

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
  const shipped = join(SHIPPED_MODELS, input, CODEC_FILE);
  if (await isFile(join(input, CODEC_FILE))) return { codec: await Codec.load(input), owned: true };
  if (await isFile(input)) return { codec: await Codec.load(input), owned: true };
  if (/^[\w-]+$/.test(input) && (await isFile(shipped))) return { codec: await Codec.load(shipped), owned: true };
  throw new VaeError(
    'ERR_VAE_IO',
    `${where}: there is no codec model "${input}". The ones of this package are ${(await shippedCodecs()).join(', ') || 'none'}.`,
  );
}

/** Names of the codec models that come with the package. */
export async function shippedCodecs(): Promise<string[]> {
  const entries = await readdir(SHIPPED_MODELS).catch(() => [] as string[]);
  const found = await Promise.all(entries.map((name) => isFile(join(SHIPPED_MODELS, name, CODEC_FILE))));
  return entries.filter((_, index) => found[index]).sort();
}

/** The package's own codec with this identity, if it has it. */
export async function shippedCodecOf(identity: string): Promise<Codec | undefined> {
  for (const name of await shippedCodecs()) {
    const path = join(SHIPPED_MODELS, name, CODEC_FILE);
    const hash = createHash('sha256');
    for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
    if (hash.digest('hex') === identity) return Codec.load(path);
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
