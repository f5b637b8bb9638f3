/** The model that an archive needs: the one that is given, the one within it, or one of this package. */
import type { ByteSource } from '../../archive/bytes.js';
import type { ArchiveLayout } from '../../archive/reader.js';
import { readModel } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';

export interface Found<C> {
  readonly codec: C;
  /** Whether whoever asked for it must close it. */
  readonly owned: boolean;
}

/** How models of one kind are had. */
export interface ModelKind<C, I> {
  find(input: I): Promise<Found<C>>;
  fromBytes(file: Uint8Array, where: string): Promise<C>;
  shipped(identity: string): Promise<C | undefined>;
  /** Whether it is for what the archive holds. */
  fits(codec: C): boolean;
}

/**
 * Undefined for an archive that needs no model.
 *
 * @throws VaeError ERR_VAE_REPRODUCIBILITY when the model is another one than it was made with, or cannot be found.
 */
export async function codecForArchive<C extends { readonly identity: string; close(): Promise<void> }, I>(
  source: ByteSource,
  { header: { model: identity }, modelOffset }: ArchiveLayout,
  given: I | undefined,
  kind: ModelKind<C, I>,
): Promise<Found<C> | undefined> {
  if (identity === undefined) return undefined;
  const found = await anyCodec(source, identity, modelOffset, given, kind);
  if (found.codec.identity === identity && kind.fits(found.codec)) return found;
  if (found.owned) await found.codec.close();
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive was made with the model ${identity.slice(0, 16)}…, and this is ${found.codec.identity.slice(0, 16)}…: ` +
      'it would decode to garbage. Give the very model it was made with.',
  );
}

async function anyCodec<C, I>(
  source: ByteSource,
  identity: string,
  modelOffset: number | undefined,
  given: I | undefined,
  kind: ModelKind<C, I>,
): Promise<Found<C>> {
  if (given !== undefined) return kind.find(given);
  if (modelOffset !== undefined) {
    const codec = await kind.fromBytes(await readModel(source, modelOffset), 'The model within the archive');
    return { codec, owned: true };
  }
  const codec = await kind.shipped(identity);
  if (codec !== undefined) return { codec, owned: true };
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The archive needs the model ${identity}, which it does not embed and this package does not have. Give it with "model" (-m).`,
  );
}
