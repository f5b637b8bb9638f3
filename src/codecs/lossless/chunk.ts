/** A chunk of items to a record of an archive and back. */
import {
  brotli,
  type ChunkItems,
  checkDecoded,
  type EncodedRecord,
  FALLBACK_QUALITY,
  hopefulBrotli,
  makeRecord,
  parseNames,
  plainData,
  splitPayload,
} from '../../archive/chunk.js';
import { damaged, type Method, type RecordHeader } from '../../archive/format.js';
import type { Codec } from './codec.js';

/** Items, and what stands in the files of pictures beside their pixels (see png-extras.ts). */
export interface ItemChunk extends ChunkItems {
  readonly extras?: readonly (string | undefined)[] | undefined;
}

/** The names block of a chunk: a name of each item, or a name and extras. */
export function encodeItemNames(names: readonly string[] | undefined, extras?: ItemChunk['extras']): Buffer {
  if (names === undefined) return Buffer.alloc(0);
  return Buffer.from(
    JSON.stringify(names.map((name, index) => (extras?.[index] === undefined ? name : [name, extras[index]]))),
  );
}

/** @throws VaeError ERR_VAE_FORMAT */
export function decodeItemNames(
  block: Buffer,
  count: number,
): { readonly name: string | undefined; readonly extras: string | undefined }[] {
  if (block.length === 0) return Array.from({ length: count }, () => ({ name: undefined, extras: undefined }));
  const parsed = parseNames(block);
  if (!Array.isArray(parsed) || parsed.length !== count) throw damaged(`expected ${count} names`);
  return parsed.map((each: unknown) => {
    if (typeof each === 'string') return { name: each, extras: undefined };
    const [name, extras, ...more] = Array.isArray(each) ? each : [];
    if (typeof name !== 'string' || typeof extras !== 'string' || more.length > 0) {
      throw damaged(`expected ${count} names`);
    }
    return { name, extras };
  });
}

/** Codes a chunk by the model (where there is one), or by brotli, or not at all: whichever is shortest. */
export async function encodeChunk(
  codec: Codec | undefined,
  { items, count, names, extras }: ItemChunk,
  options: { readonly verify: boolean; readonly signal?: AbortSignal | undefined },
): Promise<EncodedRecord> {
  const coded = await codec?.encode(items, options);
  const general =
    coded === undefined ? await brotli(items, FALLBACK_QUALITY) : await hopefulBrotli(items, coded.length);
  const candidates: [Method, Uint8Array][] = [['stored', items]];
  if (general !== undefined) candidates.unshift(['brotli', general]);
  if (coded !== undefined) candidates.unshift(['coded', coded]);
  return makeRecord({
    ...{ kind: 'chunk', items: count, names: encodeItemNames(names, extras), checked: [items] },
    candidates,
  });
}

/** The same items under other names: what they are coded to stays. */
export function renamedChunk(
  method: Method,
  data: Uint8Array,
  { items, count, names, extras }: ItemChunk,
): Promise<EncodedRecord> {
  return makeRecord({
    ...{ kind: 'chunk', items: count, names: encodeItemNames(names, extras), checked: [items] },
    candidates: [[method, data]],
  });
}

/** @throws VaeError ERR_VAE_FORMAT when the payload is damaged or is not what its checksum says. */
export async function decodeChunk(
  codec: Codec | undefined,
  header: RecordHeader,
  payload: Uint8Array,
  itemSize: number,
  signal?: AbortSignal,
): Promise<ChunkItems> {
  const { names, data } = await splitPayload(header, payload);
  const { method, items: count } = header;
  let items: Uint8Array;
  if (method !== 'coded') items = await plainData(method, data, count * itemSize);
  else if (codec === undefined) throw damaged('a chunk needs a model');
  else items = await codec.decode(data, count, { signal });
  checkDecoded(header, items, names);
  const entries = decodeItemNames(names, count);
  const known = entries.every(({ name }) => name !== undefined);
  return { items, count, names: known ? entries.map(({ name }) => name!) : undefined };
}
