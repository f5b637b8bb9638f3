/** Options of compress() that only some codecs look at: what none of them would is refused, never passed over. */
import { VaeError } from '../core/errors.js';
import type { CodecOption, CodingOptions, Writing } from './kind.js';

/** Of each option its flag, and what it is for. */
const OPTIONS: Readonly<Record<CodecOption, readonly [flag: string, use: string]>> = {
  chunkItems: ['--chunk', 'items of one shape, with a model'],
  pixelsOnly: [
    '--pixels-only',
    'pictures of one shape, with a model. Without one, everything that stands beside the pixels is kept, and JPEG files are stored as they are',
  ],
  keepFiles: ['--keep-files', 'pictures of any size, without a model'],
  effort: ['--effort', 'pictures of any size, without a model'],
  maxPictureBytes: ['--max-picture', 'pictures of any size, without a model'],
};

/** @throws VaeError ERR_VAE_OPTION for one that nothing looks at. */
export function refuseUnused(options: CodingOptions, writers: readonly Writing[], unnamed: boolean): void {
  for (const [name, [flag, use]] of Object.entries(OPTIONS)) {
    const option = name as CodecOption;
    if (options[option] === undefined || options[option] === false) continue;
    if (writers.some((writer) => writer.options.includes(option))) continue;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `compress(): option "${option}" (${flag}) does nothing ${unnamed ? 'where no model is named' : 'with this model'}: it is for ${use}. Leave it out.`,
    );
  }
}
