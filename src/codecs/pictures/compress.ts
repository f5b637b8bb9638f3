import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { ArchiveWriter } from '../../archive/writer.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { parseOptions } from '../../core/options.js';
import { imageFiles } from '../lossless/image-files.js';
import { DEFAULT_LOSSY_MODEL, findLossyCodec, type LossyCodecInput } from '../models/find.js';
import { type CodedPicture, encodePictureChunk } from './chunk.js';
import type { LossyCodec } from './lossy-codec.js';
import { PictureMetrics } from './metrics.js';
import { MOST_QUALITY, type Picture } from './picture.js';
import type { NamedPicture } from './picture-archive.js';
import { decodeOpaque } from './read-picture.js';

/** Pictures of a chunk: what is decoded to get at one of them. */
const MOST_CHUNK_PICTURES = 16;
/** A chunk ends after this many pixels, however few pictures that are. */
const CHUNK_PIXELS = 1 << 20;

const optionsSchema = z.strictObject({
  quality: z.number().min(0).max(MOST_QUALITY),
  model: z.unknown().optional(),
  output: z.string().min(1).optional(),
  embedModel: z.boolean().default(false),
  verify: z.boolean().default(true),
  metrics: z.boolean().default(true),
  threads: z.int().min(0).max(64).default(0),
  signal: z.instanceof(AbortSignal).optional(),
  onProgress: z.custom<(progress: PicturesProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface CompressPicturesOptions {
  /** 0, the smallest, to 100, the best. */
  readonly quality: number;
  /** A lossy codec, the path of its file or folder, or the name of a model of this package. Default "photo-lossy". */
  readonly model?: LossyCodecInput;
  /** Where the archive goes. It appears under this name only when it is complete. Absent: it is returned. */
  readonly output?: string;
  /** Put the model into the archive, so that nothing else is needed to read it. Default false. */
  readonly embedModel?: boolean;
  /** Decode every picture's latents again and compare. Default true. */
  readonly verify?: boolean;
  /** Also decode the pictures, and measure PSNR and MS-SSIM. Default true. */
  readonly metrics?: boolean;
  /** Threads of one run of a network; 0, the default, lets ONNX Runtime choose. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PicturesProgress) => void;
}

export interface PicturesProgress {
  readonly pictures: number;
  readonly totalPictures: number;
  readonly bytesOut: number;
}

/** Figures of one picture. */
export interface PictureReport {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Bytes of the picture within the archive. */
  readonly bytes: number;
  readonly bitsPerPixel: number;
  /** Peak signal-to-noise ratio in decibels; absent without `metrics`. */
  readonly psnr?: number;
  /** Multi-scale structural similarity, 0..1; absent without `metrics` and below 176 pixels a side. */
  readonly msSsim?: number;
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
  const sources = await sourcesOf(input);
  const { codec, owned } = await findLossyCodec(
    options.model ?? DEFAULT_LOSSY_MODEL,
    'compressPictures()',
    parsed.threads,
  );
  try {
    const job = { codec, sources, ...parsed };
    return parsed.output === undefined ? await toMemory(job) : await toFile(job, parsed.output);
  } finally {
    if (owned) await codec.close();
  }
}

interface Source {
  readonly name: string;
  read(): Promise<Picture>;
}

interface Job extends z.output<typeof optionsSchema> {
  readonly codec: LossyCodec;
  readonly sources: readonly Source[];
}

async function sourcesOf(input: PicturesInput): Promise<Source[]> {
  const all = typeof input === 'string' ? [input] : input;
  if (all.length === 0) {
    throw new VaeError('ERR_VAE_OPTION', 'compressPictures(): expected at least one picture, received none.');
  }
  if (all.every((each) => typeof each === 'string')) {
    const files = await imageFiles(all);
    return files.map(({ file, name }) => ({ name, read: () => decodeOpaque(file) }));
  }
  return (all as readonly (Picture | NamedPicture)[]).map((picture, index) => ({
    name: 'name' in picture ? picture.name : `${String(index).padStart(6, '0')}.png`,
    read: async () => picture,
  }));
}

async function toMemory(job: Job): Promise<CompressPicturesResult> {
  const pieces: Uint8Array[] = [];
  const result = await write(job, async (bytes) => {
    pieces.push(bytes);
  });
  return { ...result, archive: new Uint8Array(Buffer.concat(pieces)) };
}

async function toFile(job: Job, output: string): Promise<CompressPicturesResult> {
  const partial = join(dirname(output), `.${basename(output)}.${process.pid}.partial`);
  try {
    const file = await open(partial, 'wx');
    try {
      const result = await write(job, async (bytes) => {
        await file.writeFile(bytes);
      });
      await file.sync();
      await file.close();
      await rename(partial, output);
      return result;
    } catch (error) {
      await file.close().catch(() => {});
      await rm(partial, { force: true });
      throw error;
    }
  } catch (error) {
    job.signal?.throwIfAborted();
    throw ioError(error, `writing ${output}`);
  }
}

async function write(job: Job, sink: (bytes: Uint8Array) => Promise<void>): Promise<CompressPicturesResult> {
  const started = performance.now();
  const { codec, sources, signal, onProgress } = job;
  await using metrics = new PictureMetrics();
  const writer = new ArchiveWriter(sink);
  await writer.header({ model: codec.identity, kind: 'pictures' });
  const before = writer.byteLength;
  if (job.embedModel) await writer.model(codec);
  const modelBytes = writer.byteLength - before;
  const reports: PictureReport[] = [];
  let pending: CodedPicture[] = [];
  let pixels = 0;
  const flush = async (): Promise<void> => {
    if (pending.length === 0) return;
    await writer.chunk(await encodePictureChunk(pending));
    pending = [];
    pixels = 0;
  };
  for (const source of sources) {
    signal?.throwIfAborted();
    const picture = await source.read();
    const { coded, report } = await encodeOne(job, metrics, picture, source.name);
    pending.push(coded);
    pixels += picture.width * picture.height;
    reports.push(report);
    if (pending.length >= MOST_CHUNK_PICTURES || pixels >= CHUNK_PIXELS) await flush();
    onProgress?.({ pictures: reports.length, totalPictures: sources.length, bytesOut: writer.byteLength });
  }
  await flush();
  await writer.end();
  const total = reports.reduce((sum, { width, height }) => sum + width * height, 0);
  return {
    pictures: reports,
    pixels: total,
    bytesOut: writer.byteLength,
    bitsPerPixel: ((writer.byteLength - modelBytes) * 8) / total,
    ...meansOf(reports),
    seconds: (performance.now() - started) / 1000,
  };
}

async function encodeOne(
  { codec, quality, verify, metrics: measured }: Job,
  metrics: PictureMetrics,
  picture: Picture,
  name: string,
): Promise<{ coded: CodedPicture; report: PictureReport }> {
  const { width, height } = picture;
  const bytes = await codec.encode(picture, { quality, verify });
  const latents = await codec.decodeLatents(bytes);
  const report = { name, width, height, bytes: bytes.length, bitsPerPixel: (bytes.length * 8) / (width * height) };
  const coded = { bytes, latents, name };
  if (!measured) return { coded, report };
  const { header, latents: own } = latents;
  const decoded = await codec.synthesise({ header, latents: { ...own, data: Float32Array.from(own.data) } });
  const { psnr, msSsim } = await metrics.compare(picture, decoded);
  return { coded, report: { ...report, psnr, ...(msSsim !== undefined && { msSsim }) } };
}

function meansOf(reports: readonly PictureReport[]): { psnr?: number; msSsim?: number } {
  const mean = (values: readonly (number | undefined)[]): number | undefined => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const psnr = mean(reports.map((report) => report.psnr));
  const msSsim = mean(reports.map((report) => report.msSsim));
  return { ...(psnr !== undefined && { psnr }), ...(msSsim !== undefined && { msSsim }) };
}
