/** Figures of pictures, and what is noted of them beside an archive while it grows. */
import { z } from 'zod';

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

/** By this the next job knows whose a chunk is without coding it again. */
const noteSchema = z.strictObject({
  quality: z.number(),
  /** Digests of what was read, in order; of what is in the chunk and of what was refused. */
  inputs: z.array(z.string()),
  /** Of the pixels. */
  bytes: z.number(),
  pictures: z.array(
    z.strictObject({
      name: z.string(),
      width: z.number(),
      height: z.number(),
      bytes: z.number(),
      bitsPerPixel: z.number(),
      /** Null for equal pictures: JSON has no infinity. */
      psnr: z.number().nullable().optional(),
      msSsim: z.number().optional(),
    }),
  ),
});

/** A chunk as far as it is not in the archive. */
export interface NotedChunk {
  readonly inputs: readonly string[];
  readonly bytes: number;
  readonly reports: readonly PictureReport[];
}

/** What a note must be of. */
interface Options {
  readonly quality: number;
  readonly metrics: boolean;
}

export function noteOf({ inputs, bytes, reports }: NotedChunk, { quality }: Options): unknown {
  return { quality, inputs, bytes, pictures: reports };
}

/** Undefined for one of other options, or without figures that are wanted. */
export function readNote(note: unknown, { quality, metrics }: Options): NotedChunk | undefined {
  const { data } = noteSchema.safeParse(note);
  if (data?.quality !== quality) return undefined;
  if (metrics && data.pictures.some(({ psnr }) => psnr === undefined)) return undefined;
  const reports = data.pictures.map(({ psnr, msSsim, ...rest }) => ({
    ...rest,
    ...(metrics && { psnr: psnr ?? Number.POSITIVE_INFINITY }),
    ...(metrics && msSsim !== undefined && { msSsim }),
  }));
  return { inputs: data.inputs, bytes: data.bytes, reports };
}

/** Means over pictures. */
export function meansOf(reports: readonly PictureReport[]): { psnr?: number; msSsim?: number } {
  const mean = (values: readonly (number | undefined)[]): number | undefined => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  const psnr = mean(reports.map((report) => report.psnr));
  const msSsim = mean(reports.map((report) => report.msSsim));
  return { ...(psnr !== undefined && { psnr }), ...(msSsim !== undefined && { msSsim }) };
}
