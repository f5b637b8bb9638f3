/** The proof of an archive: the unpacker, given it, would write these files with these bytes. */
import { shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';
import type { Outline, OutPart } from './archive.js';
import { checksumOf } from './chunk.js';
import { isPlain, partsOf } from './names.js';
import { type AnyArchive, type UnpackSink, unpack } from './unpack.js';

/** What should come out: of each part of each file, a digest of what went in. */
export interface Expected {
  readonly part: OutPart;
  /** Of the part's bytes, or of what they decode to; undefined where only the name can be told. */
  readonly digest: Uint8Array | undefined;
}

/** What a file's bytes mean: the pixels of a PNG. Files that are kept as they are mean themselves. */
export type Meaning = (bytes: Uint8Array) => Promise<Uint8Array>;

export function digestOf(bytes: Uint8Array): Uint8Array {
  return checksumOf(bytes);
}

/** Whether bytes have a digest, or what they mean has it. */
export async function means(bytes: Uint8Array, digest: Uint8Array, meaning: Meaning): Promise<boolean> {
  if (Buffer.compare(digestOf(bytes), digest) === 0) return true;
  const meant = await meaning(bytes).catch(() => undefined);
  return meant !== undefined && Buffer.compare(digestOf(meant), digest) === 0;
}

const keyOf = (name: string, offset: number): string => `${offset} ${name}`;

/** Compares instead of writing. */
class Comparison implements UnpackSink {
  readonly #wanted: Map<string, Expected>;
  readonly #meaning: Meaning;
  readonly #from: number;

  /** @param from records before this byte of the archive were there already, and are not looked at. */
  constructor(expected: readonly Expected[], meaning: Meaning, from: number) {
    this.#wanted = new Map(expected.map((each) => [keyOf(each.part.name, each.part.offset), each]));
    this.#meaning = meaning;
    this.#from = from;
  }

  async begin({ records }: Outline, archive: AnyArchive): Promise<ReadonlySet<number>> {
    // The same rules as the unpacker's, and those of this system.
    const rules = { windows: process.platform === 'win32', caseBlind: false };
    for (const { name } of records.flat()) {
      partsOf(name);
      if (!isPlain(name, rules)) throw differs(name, 'this system could not have it');
    }
    return new Set(records.map((_, record) => record).filter((record) => archive.offsetOf(record) < this.#from));
  }

  async put(part: OutPart, bytes: Uint8Array): Promise<void> {
    const wanted = this.#wanted.get(keyOf(part.name, part.offset));
    if (wanted === undefined) throw differs(part.name, 'it holds something that did not go in');
    this.#wanted.delete(keyOf(part.name, part.offset));
    const { sameAs, last } = wanted.part;
    if (sameAs !== part.sameAs || last !== part.last) throw differs(part.name, 'its parts do not make the file');
    if (wanted.digest === undefined || sameAs !== undefined) return;
    if (!(await means(bytes, wanted.digest, part.meaning ?? this.#meaning)))
      throw differs(part.name, 'other bytes come out');
  }

  async lose(part: OutPart): Promise<void> {
    throw differs(part.name, 'it is lost');
  }

  async end(): Promise<void> {
    const [missing] = this.#wanted.values();
    if (missing !== undefined) throw differs(missing.part.name, 'it does not come out');
  }

  async stop(): Promise<void> {}
}

function differs(name: string, why: string): VaeError {
  return new VaeError(
    'ERR_VAE_RUNTIME',
    `The archive would not give "${shownName(name)}" back: ${why}. Nothing was deleted; this machine's memory, disk or processor may be at fault.`,
  );
}

/** @throws VaeError ERR_VAE_RUNTIME naming the first file that would not come out as it went in. */
export async function verifyArchive(
  archive: AnyArchive,
  expected: readonly Expected[],
  options: {
    readonly meaning: Meaning | undefined;
    readonly threads: number;
    readonly from?: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { meaning, threads, from = 0, signal } = options;
  if (meaning === undefined) return verifyDecoding(archive, expected, signal);
  const limits = { salvage: false, maxOutputBytes: Number.POSITIVE_INFINITY };
  await unpack(archive, new Comparison(expected, meaning, from), { ...limits, threads, signal });
}

/** Where files are not what went in to the last bit: names, and what decodes to the same on every machine. */
async function verifyDecoding(
  archive: AnyArchive,
  expected: readonly Expected[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const [damage] = await archive.verify(signal);
  if (damage !== undefined) throw differs(`chunk ${damage.chunk}`, damage.reason);
  const comparison = new Comparison(expected, async (bytes) => bytes, 0);
  const outline = await archive.outline();
  await comparison.begin(outline, archive);
  const wanted = new Set(expected.map(({ part }) => keyOf(part.name, part.offset)));
  for (const { name, offset } of outline.records.flat()) {
    if (!wanted.delete(keyOf(name, offset))) throw differs(name, 'it holds something that did not go in');
  }
  if (wanted.size > 0) throw differs([...wanted][0]!, 'it does not come out');
}
