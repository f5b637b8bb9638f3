/** Options that merging, splitting and leaving out have in common. */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import type { ModelInput } from '../by-kind.js';
import { chunkThreadsShape } from '../option-shapes.js';
import type { EditProgress } from './write.js';

export const editShape = {
  /** The codec the archives were made with. Default: the one they embed, or the package's own. */
  model: z.custom<ModelInput>().optional(),
  /**
   * Decode all of the new archive, and compare checksums, before it gets its name. Default true. Otherwise only its names
   * are read again, for which no model is needed.
   */
  verify: z.boolean().default(true),
  /** Replace a file that is at `output`. Default false: it is refused. */
  force: z.boolean().default(false),
  ...chunkThreadsShape,
  ...signalShape,
  onProgress: z.custom<(progress: EditProgress) => void>((value) => typeof value === 'function').optional(),
};
