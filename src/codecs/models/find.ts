/** From what a user names, or an archive needs, to a model of any class. */

import { basename } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { moreModels, shippedModelFolders } from '../../core/shipped-models.js';
import { identityOf, isFile, modelFileIn, PACKED, readModelFile } from './model-file.js';

/** What archives need of a model. */
export interface AnyCodec {
  /** SHA-256 of its file, in hexadecimal. */
  readonly identity: string;
  /** The bytes of its file: what archives embed. */
  readonly file: Uint8Array;
  close(): Promise<void>;
}

export interface ModelSettings {
  /** Threads of one run of a network; 0 lets ONNX Runtime choose. */
  readonly threads?: number | undefined;
}

/** A class of models: how they are told, found and opened. */
export interface ModelClass<C extends AnyCodec> {
  /** With its article, for messages: `a Codec`. */
  readonly called: string;
  /** What its file is called in a model's folder. */
  readonly file: string;
  is(value: unknown): value is C;
  fromBytes(bytes: Uint8Array, where: string, settings: ModelSettings): Promise<C>;
}

/** A model and whether whoever asked for it must close it. */
export interface Found<C> {
  readonly codec: C;
  readonly owned: boolean;
}

/**
 * @param classes of which it may be.
 * @throws VaeError ERR_VAE_OPTION for what is no model, ERR_VAE_IO where there is no such model, with the names that exist.
 */
export async function findModel<C extends AnyCodec>(
  classes: readonly ModelClass<C>[],
  input: unknown,
  where: string,
  settings: ModelSettings = {},
): Promise<Found<C>> {
  for (const one of classes) if (one.is(input)) return { codec: input, owned: false };
  if (typeof input !== 'string' || input === '') {
    const called = classes.map((one) => one.called).join(', ');
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: option "model" should be ${called}, a path or the name of a model, received ${describeValue(input)}.`,
    );
  }
  const shipped = (await shippedModelFolders()).get(input);
  for (const folder of shipped === undefined ? [input] : [input, shipped]) {
    for (const one of classes) {
      const path = await modelFileIn(folder, one.file);
      if (path !== undefined) return { codec: await open(one, path, settings), owned: true };
    }
    if (folder === input && (await isFile(input))) {
      const name = basename(input, PACKED);
      const [first] = classes;
      return { codec: await open(classes.find(({ file }) => file === name) ?? first!, input, settings), owned: true };
    }
  }
  const known = (await Promise.all(classes.map(shippedNames))).flat();
  throw new VaeError(
    'ERR_VAE_IO',
    `${where}: there is no codec model "${input}". The ones of this package are ${known.join(', ') || 'none'}.${moreModels()}`,
  );
}

/**
 * The model of this package that is used where none is named, whatever is called so in the folder at hand.
 *
 * @throws VaeError ERR_VAE_IO where it is not there.
 */
export async function findDefaultModel<C extends AnyCodec>(
  models: ModelClass<C>,
  name: string,
  where: string,
  settings: ModelSettings = {},
): Promise<Found<C>> {
  return findModel([models], (await shippedModelFolders()).get(name) ?? name, where, settings);
}

/** Names of the models of a class that come with the package. */
export async function shippedNames(models: Pick<ModelClass<AnyCodec>, 'file'>): Promise<string[]> {
  return (await shippedOf(models)).map(([name]) => name);
}

async function shippedOf({ file }: Pick<ModelClass<AnyCodec>, 'file'>): Promise<[name: string, folder: string][]> {
  const entries = [...(await shippedModelFolders())];
  const found = await Promise.all(entries.map(([, folder]) => modelFileIn(folder, file)));
  return entries.filter((_, index) => found[index]);
}

/** The package's own model with this identity, if it has it. */
export async function shippedModel<C extends AnyCodec>(
  models: ModelClass<C>,
  identity: string,
  settings: ModelSettings,
): Promise<C | undefined> {
  for (const [, folder] of await shippedOf(models)) {
    const { bytes, path } = await readModelFile(folder, models.file);
    if (identityOf(bytes) === identity) return models.fromBytes(bytes, path, settings);
  }
  return undefined;
}

async function open<C extends AnyCodec>(models: ModelClass<C>, path: string, settings: ModelSettings): Promise<C> {
  const found = await readModelFile(path, models.file);
  return models.fromBytes(found.bytes, found.path, settings);
}
