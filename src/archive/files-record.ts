/**
 * Files as they are within an archive of any kind: many small ones in a record, or a part of a large one. Their bytes
 * are stored, compressed by Brotli, or by a method of the archive's kind.
 */
import { z } from 'zod';
import {
  brotli,
  checkDecoded,
  type EncodedRecord,
  FALLBACK_QUALITY,
  makeRecord,
  parseNames,
  plainData,
  splitPayload,
} from './chunk.js';
import { damaged, MAX_CHUNK_BYTES, type RecordHeader } from './format.js';

/** A part of a file, or all of it. */
export interface FilePart {
  readonly name: string;
  /** Where it begins in the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Bytes of the whole file. */
  readonly total: number;
  /** The name of another file of the archive with the very same bytes: nothing of this one is stored. */
  readonly sameAs?: string | undefined;
  /** Whether it is a folder that holds nothing. */
  readonly folder?: boolean | undefined;
  /** What the archive's own kind says of it. */
  readonly note?: readonly number[] | undefined;
}

const size = z.int().min(0);
/**
 * n: name, b: bytes here, o: offset, t: total, s: same as, d: 1 for an empty folder, k: note of the kind. Absent: offset 0,
 * total as the bytes.
 */
const entriesSchema = z
  .array(
    z.strictObject({
      n: z.string().min(1),
      b: size.max(MAX_CHUNK_BYTES).optional(),
      o: size.optional(),
      t: size.optional(),
      s: z.string().min(1).optional(),
      d: z.literal(1).optional(),
      k: z.array(size).max(16).optional(),
    }),
  )
  .min(1);

export function encodeEntries(parts: readonly FilePart[]): Buffer {
  return Buffer.from(
    JSON.stringify(
      parts.map(({ name: n, offset: o, bytes: b, total: t, sameAs: s, folder, note: k }) => ({
        n,
        ...(b > 0 && { b }),
        ...(o > 0 && { o }),
        ...((t !== b || o > 0) && { t }),
        ...(s !== undefined && { s }),
        ...(folder && { d: 1 }),
        ...(k !== undefined && { k }),
      })),
    ),
  );
}

/** @throws VaeError ERR_VAE_FORMAT */
export function decodeEntries(names: Buffer, count: number): FilePart[] {
  const parsed = entriesSchema.safeParse(parseNames(names));
  if (!parsed.success || parsed.data.length !== count) throw damaged(`expected ${count} files in a record`);
  let total = 0;
  return parsed.data.map(({ n, b = 0, o = 0, t = b, s, d, k }) => {
    total += b;
    if (o + b > t && s === undefined) throw damaged('a part of a file is beyond its end');
    if (total > MAX_CHUNK_BYTES) throw damaged('a record of files is larger than 1 GiB');
    if (d !== undefined && (t > 0 || s !== undefined)) throw damaged('a folder in it has bytes');
    return { name: n, offset: o, bytes: b, total: t, sameAs: s, ...(d && { folder: true }), note: k };
  });
}

/** How an archive's kind packs the bytes of files better than Brotli. */
export interface FilesMethod {
  encode(parts: readonly FilePart[], bytes: Uint8Array, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  decode(parts: readonly FilePart[], data: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>;
}

/** The bytes of the parts, one after the other, to a record. */
export async function encodeFiles(
  parts: readonly FilePart[],
  bytes: Uint8Array,
  method?: FilesMethod,
  signal?: AbortSignal,
): Promise<EncodedRecord> {
  const [general, coded] = await Promise.all([brotli(bytes, FALLBACK_QUALITY), method?.encode(parts, bytes, signal)]);
  return makeRecord({
    ...{ kind: 'files', items: parts.length, names: encodeEntries(parts), checked: [bytes] },
    candidates: [...(coded === undefined ? [] : [['coded', coded] as const]), ['brotli', general], ['stored', bytes]],
  });
}

/** @throws VaeError ERR_VAE_FORMAT when the payload is damaged or is not what its checksum says. */
export async function decodeFiles(
  header: RecordHeader,
  payload: Uint8Array,
  method?: FilesMethod,
  signal?: AbortSignal,
): Promise<{ readonly parts: readonly FilePart[]; readonly bytes: Uint8Array }> {
  const { names, data } = await splitPayload(header, payload);
  const parts = decodeEntries(names, header.items);
  const expected = parts.reduce((sum, part) => sum + part.bytes, 0);
  let bytes: Uint8Array;
  if (header.method !== 'coded') bytes = await plainData(header.method, data, expected);
  else if (method === undefined) throw damaged('a record of files needs a model');
  else bytes = await method.decode(parts, data, signal);
  checkDecoded(header, bytes, names);
  return { parts, bytes };
}

/** The bytes of each part. */
export function cutFiles(parts: readonly FilePart[], bytes: Uint8Array): Uint8Array[] {
  let at = 0;
  return parts.map((part) => {
    at += part.bytes;
    return bytes.subarray(at - part.bytes, at);
  });
}

/** Some files of a record, under the names that are given, as a record of another archive. */
export async function editFiles(
  header: RecordHeader,
  payload: Uint8Array,
  kept: readonly { readonly index: number; readonly name: string; readonly sameAs?: string | undefined }[],
  method?: FilesMethod,
  signal?: AbortSignal,
): Promise<EncodedRecord> {
  const { parts, bytes } = await decodeFiles(header, payload, method, signal);
  const pieces = cutFiles(parts, bytes);
  const left = kept.map(({ index, name, sameAs }) => ({ ...parts[index]!, name, sameAs }));
  if (left.length < parts.length) {
    return encodeFiles(left, Buffer.concat(kept.map(({ index }) => pieces[index]!)), method, signal);
  }
  // Other names for the same bytes: what they are coded to stays.
  return makeRecord({
    ...{ kind: 'files', items: left.length, names: encodeEntries(left), checked: [bytes] },
    candidates: [[header.method, payload.subarray(header.namesBytes)]],
  });
}
