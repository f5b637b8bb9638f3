/** Options that several verbs of codecs have. */
import { z } from 'zod';

/** Of what makes an archive of files. */
export const packingShape = {
  /**
   * Where the archive goes. It appears under this name only when it is complete. `-` is standard output; pipes and
   * devices are written to. Absent: it is returned.
   */
  output: z.string().min(1).optional(),
  /** Put the model into the archive, so that nothing else is needed to read it. Default false. */
  embedModel: z.boolean().default(false),
  /** Replace a file that is at `output`. Default false: it is refused. */
  force: z.boolean().default(false),
  /** Names or paths within the inputs that take part, as patterns with * ? [ ] { }. Default: all. */
  include: z.array(z.string().min(1)).default([]),
  /** Likewise those that do not. */
  exclude: z.array(z.string().min(1)).default([]),
  /** Leave files out that cannot be read, instead of failing. Default false. */
  skipBad: z.boolean().default(false),
  /** Follow links to files and folders. Default true; otherwise they are left out, by name. */
  dereference: z.boolean().default(true),
};

export const dropPartialShape = {
  /** Drop what an interrupted job of other input or options left beside the output. Default false: it is kept under another name. */
  dropPartial: z.boolean().default(false),
};

export const OTHERS = z.enum(['store', 'skip', 'fail']);

/** What a process may take, roughly. */
export const memoryShape = {
  /**
   * What the job may take of memory, roughly: what needs more (a picture of many pixels, a chunk that is large) is refused
   * before anything is done. Default: 512 MiB, and a warning, WARN_VAE_MEMORY, before a job that needs more.
   */
  maxMemoryBytes: z
    .number()
    .min(2 ** 28)
    .optional(),
};

export const chunkThreadsShape = {
  /** Chunks coded at once. Default: one per processor, as far as `maxMemoryBytes` allows. */
  threads: z.int().min(1).max(64).optional(),
  ...memoryShape,
};
