import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { checksumOf } from '../../archive/chunk.js';
import { hexOf } from '../../archive/journal.js';
import type { Unit } from '../../archive/pack.js';
import { shownName } from '../../core/byte-names.js';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { TreeFile } from '../../data/file-tree.js';
import { readPictureHeader } from '../../data/image/pixels.js';

import { FILES_RECORD_BYTES, fileUnits, folderUnits, type Stored } from '../inputs/plain-files.js';
import { readCandidate } from '../inputs/read-candidate.js';
import { readWhole } from '../inputs/read-file.js';

import { type LeftOut, Selection } from '../inputs/selection.js';
import { spooled } from '../inputs/spool.js';
import { threadsWithin } from '../jobs/memory.js';
import { writeArchive } from '../jobs/write-archive.js';
import { pictureCandidates } from '../lossless/image-units.js';
import { type Found, findDefaultModel, findModel } from '../models/find.js';
import { dropPartialShape, memoryShape, OTHERS, packingShape } from '../option-shapes.js';
import { type CodedPicture, encodePictureChunk } from './chunk.js';
import { PICTURES } from './header.js';
import type { LossyCodec } from './lossy-codec.js';
import { PictureMetrics } from './metrics.js';
import { DEFAULT_LOSSY_MODEL, LOSSY_CODECS, type LossyCodecInput } from './models.js';
import { encodePictureHeader, MOST_QUALITY, type Picture, pictureMemory, qualityOf } from './picture.js';
import type { NamedPicture } from './picture-archive.js';
import { decodeOpaque } from './read-picture.js';
import { meansOf, noteOf, type PictureReport, readNote } from './reports.js';

/** Pictures of a chunk: what is decoded to get at one of them. */
const MOST_CHUNK_PICTURES = 16;
/** A chunk ends after this many pixels, however few pictures that are. */
const CHUNK_PIXELS = 1 << 20;

const optionsSchema = z.strictObject({
  /** 0, the smallest, to 100, the best. */
  quality: z.number().min(0).max(MOST_QUALITY),
  /** A lossy codec, the path of its file or folder, or the name of a model of this package. Default "photo-lossy". */
  model: z.custom<LossyCodecInput>().optional(),
  /** Decode the archive again, as far as every machine decodes the same, before it gets its name. Default true. */
  verify: z.boolean().default(true),
  /** Also decode the pictures, and measure PSNR and MS-SSIM. Default true. */
  metrics: z.boolean().default(true),
  /**
   * What becomes of files that are no pictures of one frame of 8 bits without transparent parts: stored as they are
   * (the default), left out, or refused.
   */
  others: OTHERS.default('store'),
  /** Threads of one run of a network; 0, the default, lets ONNX Runtime choose. */
  threads: z.int().min(0).max(64).default(0),
  ...dropPartialShape,
  ...packingShape,
  ...memoryShape,
  ...signalShape,
  onProgress: z.custom<(progress: PicturesProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface CompressPicturesOptions extends InputOf<typeof optionsSchema> {}

export interface PicturesProgress {
  readonly pictures: number;
  readonly totalPictures: number;
  readonly bytesOut: number;
}

export interface CompressPicturesResult {
  readonly pictures: readonly PictureReport[];
  readonly pixels: number;
  /** Bytes of the whole archive. */
  readonly bytesOut: number;
  /** Of the archive, without an embedded model. */
  readonly bitsPerPixel: number;
  /** Means over the pictures. */
  readonly psnr?: number;
  readonly msSsim?: number;
  /** Chunks that an interrupted run had written before. */
  readonly resumedChunks: number;
  /** Files that are stored as they are, by a general compressor. */
  readonly storedFiles: number;
  /** Why some of them, which look like pictures, are: by name. */
  readonly storedBecause: readonly LeftOut[];
  /** What was under the inputs and is not in the archive. */
  readonly leftOut: readonly LeftOut[];
  readonly excluded: readonly string[];
  readonly verified: boolean;
  readonly notes: readonly string[];
  readonly seconds: number;
  /** The archive, where no `output` was given. */
  readonly archive?: Uint8Array;
}

/** Paths of pictures and folders of pictures, or pictures in memory. */
export type PicturesInput = string | readonly string[] | readonly (Picture | NamedPicture)[];

/**
 * Compresses pictures of any size with loss, by transform coding with a hyperprior.
 *
 * @throws VaeError ERR_VAE_OPTION, ERR_VAE_SHAPE or ERR_VAE_DATA for what was given, ERR_VAE_FORMAT for a
 *   file that is no picture, ERR_VAE_IO where something cannot be read or written, the signal's reason
 *   when aborted.
 */
export async function compressPictures(
  input: PicturesInput,
  options: CompressPicturesOptions,
): Promise<CompressPicturesResult> {
  const parsed = parseOptions(optionsSchema, options, 'compressPictures()');
  const all = typeof input === 'string' ? [input] : input;
  if (all.length === 0) {
    throw new VaeError('ERR_VAE_OPTION', 'compressPictures(): expected at least one picture, received none.');
  }
  await using inputs = all.every((each) => typeof each === 'string') ? await spooled(all) : undefined;
  const selection = inputs && (await Selection.of(inputs.paths, parsed.output, parsed));
  const { codec, owned } = await modelOf(parsed);
  try {
    const job = { codec, ...parsed };
    if (selection !== undefined) return await picturesOfFiles(selection, job);
    const pictures = (all as readonly (Picture | NamedPicture)[]).map((picture, index): Source => {
      const digest = async () => hexOf(checksumOf(encodePictureHeader({ ...picture, quality: 0 }), picture.data));
      return {
        name: 'name' in picture ? picture.name : `${String(index).padStart(6, '0')}.png`,
        pixels: picture.width * picture.height,
        read: async () => ({ picture, digest: await digest() }),
        digest,
      };
    });
    checkMemory(pictures, job);
    return await write(job, pictures, async () => undefined);
  } finally {
    if (owned) await codec.close();
  }
}

/** As compressPictures(), of files that were found before, under names of their own. */
export async function compressPictureFiles(
  files: readonly TreeFile[],
  options: CompressPicturesOptions,
): Promise<CompressPicturesResult> {
  const parsed = parseOptions(optionsSchema, options, 'compressPictures()');
  const { codec, owned } = await modelOf(parsed);
  try {
    return await picturesOfFiles(Selection.ofFiles(files, parsed), { codec, ...parsed });
  } finally {
    if (owned) await codec.close();
  }
}

/** What was named; else the package's own, whatever is called so in the folder at hand. */
function modelOf(options: z.output<typeof optionsSchema>): Promise<Found<LossyCodec>> {
  const { model } = options;
  return model === undefined
    ? findDefaultModel(LOSSY_CODECS, DEFAULT_LOSSY_MODEL, 'compressPictures()', options)
    : findModel([LOSSY_CODECS], model, 'compressPictures()', options);
}

interface Source {
  readonly name: string;
  readonly pixels: number;
  /** No picture of one that was passed on, or left out. */
  read(signal: AbortSignal | undefined): Promise<{ readonly picture: Picture | undefined; readonly digest: string }>;
  /** Of what would be read, by itself. */
  digest(signal: AbortSignal | undefined): Promise<string>;
}

/** In the place of a digest. */
const UNREADABLE = '';

interface Job extends z.output<typeof optionsSchema> {
  readonly codec: LossyCodec;
}

/** Files: pictures, and everything else as it is. */
async function picturesOfFiles(selection: Selection, job: Job): Promise<CompressPicturesResult> {
  const candidates = pictureCandidates(selection.files, selection, { renamed: true });
  if (candidates.length === 0) {
    throw new VaeError('ERR_VAE_DATA', 'compressPictures(): there are no pictures in the inputs.');
  }
  const sources: Source[] = [];
  for (const { file, name } of candidates) {
    const found = { path: file.path, name: file.shown, folder: undefined, within: file.name };
    const header = await readPictureHeader(found).catch(() => undefined); // told when its turn comes
    sources.push({
      ...{ name, pixels: header === undefined ? 0 : header.width * header.height },
      async read(signal) {
        let digest = UNREADABLE;
        const picture = await readCandidate(file, selection, signal, (bytes) => {
          digest = hexOf(checksumOf(bytes));
          return decodeOpaque({ bytes, name: file.shown });
        });
        return { picture, digest };
      },
      digest: (signal) =>
        readWhole(file, signal).then(
          (bytes) => hexOf(checksumOf(bytes)),
          () => UNREADABLE,
        ),
    });
  }
  checkMemory(sources, job);
  const stored = new Map<TreeFile, Stored>();
  let coded = false;
  let folders = selection.emptyFolders;
  const result = await write(job, sources, async () => {
    if (!coded && selection.firstReason() !== undefined && reportsOf.get(job)?.length === 0)
      throw selection.firstReason();
    coded = true;
    const others = selection.takeOthers();
    if (others.length > 0) return fileUnits(others, selection, { recordBytes: FILES_RECORD_BYTES }, stored);
    const empty = folders;
    folders = [];
    return empty.length > 0 ? folderUnits(empty) : undefined;
  });
  return {
    ...result,
    storedFiles: stored.size,
    storedBecause: Array.from(selection.reasons, ([name, reason]) => ({ name, reason })),
    ...{ leftOut: selection.leftOut, excluded: selection.excluded },
  };
}

/** Before anything is done: what the picture takes that takes most. @throws VaeError ERR_VAE_DATA where that is too much. */
function checkMemory(sources: readonly Source[], { maxMemoryBytes }: Job): void {
  const largest = sources.reduce((most, source) =>
    pictureMemory(source.pixels) > pictureMemory(most.pixels) ? source : most,
  );
  const what = `${shownName(largest.name)}, a picture of ${(largest.pixels / 1e6).toFixed(1)} million pixels,`;
  threadsWithin(what, pictureMemory(largest.pixels), { maxMemoryBytes });
}

async function write(
  job: Job,
  sources: readonly Source[],
  more: () => Promise<readonly Unit[] | undefined>,
): Promise<CompressPicturesResult> {
  const started = performance.now();
  const { codec, signal, onProgress } = job;
  await using metrics = new PictureMetrics();
  const reports: PictureReport[] = [];
  reportsOf.set(job, reports);
  const units = chunksOf(sources).map((some) => pictureUnit(some, job, metrics, reports));
  let begun = false;
  const packed = await writeArchive(
    {
      header: { model: codec.identity, kind: PICTURES },
      ...{ codec, model: job.embedModel ? codec : undefined, totalItems: sources.length },
      // Networks have threads of their own.
      ...{ meaning: undefined, threads: 1, verify: job.verify, dropPartial: job.dropPartial, signal },
      onProgress: ({ items, totalItems, bytesOut }) =>
        onProgress?.({ pictures: items, totalPictures: totalItems, bytesOut }),
      async phase() {
        if (begun) return more();
        begun = true;
        return units;
      },
    },
    { ...job, append: false },
  );
  const { bytesOut, modelBytes, resumedChunks, notes, archive } = packed;
  const pixels = reports.reduce((sum, { width, height }) => sum + width * height, 0);
  return {
    ...{ pictures: reports, pixels, bytesOut, bitsPerPixel: ((bytesOut - modelBytes) * 8) / pixels },
    ...meansOf(reports),
    ...{ resumedChunks, storedFiles: 0, storedBecause: [], leftOut: [], excluded: [], verified: job.verify, notes },
    seconds: (performance.now() - started) / 1000,
    ...(archive && { archive }),
  };
}

const reportsOf = new WeakMap<Job, PictureReport[]>();

/** Pictures of one chunk each. */
function chunksOf(sources: readonly Source[]): Source[][] {
  const chunks: Source[][] = [];
  let pixels = 0;
  for (const source of sources) {
    const last = chunks.at(-1);
    if (last === undefined || last.length >= MOST_CHUNK_PICTURES || pixels >= CHUNK_PIXELS) {
      chunks.push([source]);
      pixels = 0;
    } else last.push(source);
    pixels += source.pixels;
  }
  return chunks;
}

function pictureUnit(sources: readonly Source[], job: Job, metrics: PictureMetrics, reports: PictureReport[]): Unit {
  const options = { quality: qualityOf(job.quality), metrics: job.metrics };
  return {
    items: sources.length,
    async prepare(signal) {
      const coded: CodedPicture[] = [];
      const own: PictureReport[] = [];
      const inputs: string[] = [];
      let bytes = 0;
      for (const source of sources) {
        signal?.throwIfAborted();
        const { picture, digest } = await source.read(signal);
        inputs.push(digest);
        if (picture === undefined) continue;
        const one = await encodeOne(job, metrics, picture, source.name);
        coded.push(one.coded);
        own.push(one.report);
        bytes += picture.data.length;
      }
      if (coded.length === 0) return undefined;
      for (const report of own) reports.push(report);
      return {
        ...chunkOf(own, bytes),
        note: noteOf({ inputs, bytes, reports: own }, options),
        encode: () => encodePictureChunk(coded),
      };
    },
    async recall(note, signal) {
      const known = readNote(note, options);
      if (known === undefined || known.inputs.length !== sources.length) return undefined;
      for (const [index, source] of sources.entries()) {
        signal?.throwIfAborted();
        if ((await source.digest(signal)) !== known.inputs[index]) return undefined;
      }
      // The same bytes are refused for the same reasons.
      const names = new Set(known.reports.map(({ name }) => name));
      for (const source of sources) if (!names.has(source.name)) await source.read(signal);
      for (const report of known.reports) reports.push(report);
      const encode = () =>
        Promise.reject(new VaeError('ERR_VAE_RUNTIME', 'These pictures are in the archive already.'));
      return { ...chunkOf(known.reports, known.bytes), encode };
    },
  };
}

function chunkOf(reports: readonly PictureReport[], bytes: number) {
  return {
    ...({ kind: 'chunk', items: reports.length, bytes, content: () => undefined } as const),
    expected: reports.map(({ name }) => ({ part: { name, offset: 0, last: true }, digest: undefined })),
  };
}

async function encodeOne(
  { codec, quality, metrics: measured }: Job,
  metrics: PictureMetrics,
  picture: Picture,
  name: string,
): Promise<{ coded: CodedPicture; report: PictureReport }> {
  const { width, height } = picture;
  // The whole archive is verified at its end, by what it holds then.
  const { bytes, latents } = await codec.encodeLatents(picture, { quality, verify: false });
  const report = { name, width, height, bytes: bytes.length, bitsPerPixel: (bytes.length * 8) / (width * height) };
  const coded = { bytes, latents, name };
  if (!measured) return { coded, report };
  const decoded = await codec.synthesise(latents);
  const { psnr, msSsim } = await metrics.compare(picture, decoded);
  return { coded, report: { ...report, psnr, ...(msSsim !== undefined && { msSsim }) } };
}
