import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { ModelInput } from '../by-kind.js';
import { openAny } from '../open.js';
import { notThere } from './choose.js';

const schema = z.strictObject({
  /** The codec the archive was made with. Default: the one it embeds, or the package's own. */
  model: z.custom<ModelInput>().optional(),
  ...signalShape,
});

export interface ReadArchivedOptions extends InputOf<typeof schema> {}

/**
 * One file of an archive of any kind, as decompress() would write it, piece by piece. Only its own chunks are decoded. By
 * its number, from 0: one item; of an array, the bytes of that row.
 *
 * @throws VaeError ERR_VAE_OPTION for what is not there, ERR_VAE_FORMAT naming a chunk that is damaged,
 *   ERR_VAE_REPRODUCIBILITY without its model, the signal's reason when aborted.
 */
export async function* readArchived(
  input: string | Uint8Array,
  file: string | number,
  options: ReadArchivedOptions = {},
): AsyncGenerator<Uint8Array> {
  const { model, signal } = parseOptions(schema, options, 'readArchived()');
  const { archive, layout } = await openAny(input, model === undefined ? {} : { model });
  try {
    const where = typeof input === 'string' ? input : 'The archive';
    const { records, unreadable } = await archive.outline();
    let wanted = '';
    if (typeof file === 'number') {
      const total = layout.chunks.reduce((sum, { items }) => sum + items, 0);
      if (!Number.isInteger(file) || file < 0 || file >= total) {
        throw new VaeError('ERR_VAE_OPTION', `${where} has ${total} items, from 0; received ${file}.`);
      }
      let record = 0;
      while (archive.chunk(record).firstItem + archive.chunk(record).items <= file) record += 1;
      const index = file - archive.chunk(record).firstItem;
      const { joined, name } = records[record]?.[index] ?? {};
      // A band of a picture is no file: all of them are.
      if (joined) wanted = name!;
      else {
        const { parts } = await archive.output(record, signal);
        if (archive.itemsAreNamed) yield parts[index]!;
        else {
          const { items } = archive.chunk(record);
          const [bytes] = parts;
          // What stands before the rows of an array is in its first chunk.
          const start = bytes!.length - items * layout.itemSize + index * layout.itemSize;
          yield bytes!.subarray(start, start + layout.itemSize);
        }
        return;
      }
    } else {
      const all = records.flat();
      const found = all.find(({ name }) => name === file);
      if (found === undefined) throw notThere(file, [...new Set(all.map(({ name }) => name))], where);
      if (found.folder) throw new VaeError('ERR_VAE_OPTION', `"${file}" is an empty folder in ${where}.`);
      wanted = found.sameAs ?? file;
    }
    const join = archive.joiner('refuse');
    let end = 0;
    let isWhole = false;
    for (const [record, parts] of records.entries()) {
      for (const [index, part] of parts.entries()) {
        if (part.name !== wanted) continue;
        signal?.throwIfAborted();
        if (part.offset !== end && !part.joined) throw missing(wanted, unreadable[0]?.reason);
        const bytes = (await join(record, await archive.output(record, signal))).parts[index]!;
        end += bytes.length;
        isWhole = part.last;
        yield bytes;
      }
    }
    if (!isWhole) throw missing(wanted, unreadable[0]?.reason);
  } finally {
    await archive.close();
  }
}

function missing(name: string, reason: string | undefined): VaeError {
  return new VaeError('ERR_VAE_FORMAT', `A part of "${name}" is missing in the archive${reason ? `: ${reason}` : '.'}`);
}
