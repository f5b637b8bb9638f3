/** The model that an archive needs: the one that is given, the one within it, or one of this package. */
import type { ByteSource } from '../../archive/bytes.js';
import type { ArchiveLayout } from '../../archive/reader.js';
import { readModel } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';
import { moreModels } from '../../core/shipped-models.js';
import { type AnyCodec, type Found, findModel, type ModelClass, type ModelSettings, shippedModel } from './find.js';

/** In place of a model: names and sizes are wanted, and what no model coded. */
export const NO_MODEL = Symbol('no model');

export interface Wanted<C> extends ModelSettings {
  /** Whose call it is, for messages. */
  readonly where: string;
  /** Whether a model is for what the archive holds. Default: any is. */
  readonly fits?: (codec: C) => boolean;
}

/**
 * Undefined for an archive that needs no model, and where none is wanted.
 *
 * @throws VaeError ERR_VAE_REPRODUCIBILITY when the model is another one than it was made with, or cannot be found.
 */
export async function codecForArchive<C extends AnyCodec>(
  models: ModelClass<C>,
  source: ByteSource,
  { header: { model: identity }, modelOffset }: ArchiveLayout,
  given: unknown,
  wanted: Wanted<C>,
): Promise<Found<C> | undefined> {
  if (identity === undefined || given === NO_MODEL) return undefined;
  const found = await anyCodec(models, source, identity, modelOffset, given, wanted);
  if (found.codec.identity === identity && (wanted.fits?.(found.codec) ?? true)) return found;
  if (found.owned) await found.codec.close();
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive was made with the model ${identity.slice(0, 16)}…, and this is ${found.codec.identity.slice(0, 16)}…: ` +
      'it would decode to garbage. Give the very model it was made with.',
  );
}

async function anyCodec<C extends AnyCodec>(
  models: ModelClass<C>,
  source: ByteSource,
  identity: string,
  modelOffset: number | undefined,
  given: unknown,
  wanted: Wanted<C>,
): Promise<Found<C>> {
  if (given !== undefined) return findModel([models], given, wanted.where, wanted);
  if (modelOffset !== undefined) {
    const codec = await models.fromBytes(await readModel(source, modelOffset), 'The model within the archive', wanted);
    return { codec, owned: true };
  }
  const codec = await shippedModel(models, identity, wanted);
  if (codec !== undefined) return { codec, owned: true };
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive needs the model ${identity}, which it does not embed and this package does not have. Give it with "model" (-m).${moreModels()}`,
  );
}
