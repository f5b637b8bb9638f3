/** What compress() takes and gives. */

import { z } from 'zod';
import { MAX_CHUNK_ITEMS } from '../archive/format.js';
import { signalShape } from '../core/common-options.js';
import type { InputOf } from '../core/options.js';
import type { DatasetInput } from '../data/to-dataset.js';
import type { WritingModelInput } from './by-kind.js';
import type { LeftOut } from './inputs/selection.js';
import type { AnyCodec } from './models/find.js';
import { chunkThreadsShape, dropPartialShape, OTHERS, packingShape } from './option-shapes.js';

export const compressSchema = z.strictObject({
  /**
   * A codec, the path of its file or folder, or the name of a model of this package. Absent: pictures of any size and
   * kind, each coded by what makes it shortest.
   */
  model: z.custom<WritingModelInput>().optional(),
  /** Items of a chunk: what is decoded to get at one of them. Default 256, and more where they are tiny. */
  chunkItems: z.int().min(1).max(MAX_CHUNK_ITEMS).optional(),
  /**
   * Unpack the archive, without writing, before it gets its name, and compare every name and every byte with what went
   * in. Default true.
   */
  verify: z.boolean().default(true),
  /**
   * Add to the archive at `output` instead of making one. What is there is copied and the longer archive takes its
   * place at the end, so that at any moment one of them is there, whole. Default false.
   */
  append: z.boolean().default(false),
  /** What becomes of files that the model is not for: stored by a general compressor (the default), left out, or refused. */
  others: OTHERS.default('store'),
  /**
   * Keep the pixels of pictures alone where they are not the whole file: JPEG and other formats, profiles, EXIF data,
   * further frames. Default false: such files are stored as they are. Of pictures with a model of one shape; without a
   * model, everything that stands beside the pixels is kept.
   */
  pixelsOnly: z.boolean().default(false),
  ...dropPartialShape,
  /**
   * Of pictures without a model that is named: every file comes out byte for byte. Default false: PNG files and others
   * that are stored without loss come out as PNG files with the same samples, which takes far fewer bytes.
   */
  keepFiles: z.boolean().default(false),
  /** Of pictures without a model that is named: `fast` takes less time both ways, `best`, the default, fewer bytes. */
  effort: z.enum(['fast', 'best']).optional(),
  /**
   * Of pictures without a model that is named: one whose rows are longer than this, in bytes, is stored as it is, and
   * named: a small file may claim any number of pixels. Default 4 GiB.
   */
  maxPictureBytes: z.number().positive().optional(),
  ...packingShape,
  ...chunkThreadsShape,
  ...signalShape,
  onProgress: z.custom<(progress: CompressProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface CompressOptions extends InputOf<typeof compressSchema> {}

export interface CompressProgress {
  readonly items: number;
  readonly totalItems: number;
  /** How much of the work is done, 0 to 1. Large pictures count part by part, although `items` counts them when they are whole. */
  readonly share: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface CompressResult {
  /** Items, or sound files. */
  readonly items: number;
  /** Bytes of the items themselves; of the whole files where they are sounds or stored as they are. */
  readonly bytesIn: number;
  /** Bytes of the whole archive. */
  readonly bytesOut: number;
  /** Bits for each of those bytes, without an embedded model; 8 is no compression. */
  readonly bitsPerDim: number;
  readonly chunks: number;
  /** Chunks that an interrupted run had written before. */
  readonly resumedChunks: number;
  /** Whether the archive was there before, with all of this: it was compared, and nothing was written. */
  readonly already: boolean;
  /** Files that are stored as they are, by a general compressor. */
  readonly storedFiles: number;
  /** Why some of them, which look as if the model were for them, are: by name. */
  readonly storedBecause: readonly LeftOut[];
  /** What was under the inputs and is not in the archive. */
  readonly leftOut: readonly LeftOut[];
  /** Files that include and exclude left out. */
  readonly excluded: readonly string[];
  /** Whether the archive was unpacked and compared before it got its name. */
  readonly verified: boolean;
  /** What else there is to say. */
  readonly notes: readonly string[];
  readonly seconds: number;
  /** The archive, where no `output` was given. */
  readonly archive?: Uint8Array;
}

/** What compress() takes: the paths of pictures; with a model also a dataset or tensor of bytes, or the paths of IDX, .npy or WAV files. */
export type CompressInput = DatasetInput | string | readonly string[];

export type CompressJob = z.output<typeof compressSchema> & {
  readonly codec: AnyCodec;
  /** Whether no model was named. */
  readonly unnamed: boolean;
};
