import { Option } from 'commander';
import type { DecompressResult } from '../../index.js';
import {
  addMemoryOption,
  addProgressOption,
  type MemoryFlags,
  memoryOptions,
  type ProgressFlags,
  shown,
} from '../archive-options.js';
import type { RegisterCommand } from '../command.js';
import { count, note } from '../output.js';
import { wholeNumber } from '../parse.js';
import { RowProgress } from '../progress.js';
import type { CommandResult } from '../result.js';

interface DecompressFlags extends ProgressFlags, MemoryFlags {
  readonly model?: string;
  readonly out: string;
  readonly salvage?: boolean;
  readonly force?: boolean;
  readonly skipExisting?: boolean;
  readonly rename?: 'safe' | 'refuse';
  readonly maxOutput?: number;
  readonly threads?: number;
}

export const registerDecompress: RegisterCommand = (program, run) =>
  addMemoryOption(addProgressOption(program.command('decompress')))
    .summary('unpack an archive')
    .description(
      'Unpacks an archive: the IDX, .npy or WAV files that went in, or the images as PNG, with the same pixels unless ' +
        'they were compressed with --lossy.',
    )
    .argument('<archive>', 'a .vaez file; - is standard input')
    .requiredOption(
      '-o, --out <folder>',
      'where the files go; made where missing; - writes the only file of an archive to standard output',
    )
    .option('-m, --model <model>', 'codec model; not needed where the archive embeds it or the package has it')
    .option('--salvage', 'unpack what can be decoded although chunks are damaged or the end is missing')
    .option('--force', 'replace files that are there with other bytes')
    .option('--skip-existing', 'leave such files, name them, and unpack the others')
    .addOption(
      new Option(
        '--rename <how>',
        'names that this system cannot have: safe ones instead (the default), or refuse',
      ).choices(['safe', 'refuse']),
    )
    .option('--max-output <bytes>', 'refuse archives that decode to more (64 GiB)', wholeNumber(1))
    .option('--threads <n>', 'chunks decoded at once (one per processor)', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae decompress digits.vaez -o unpacked/
  $ node-vae decompress scans.vaez -m my-codec -o scans/
  $ node-vae decompress broken.vaez -o rescued/ --salvage`,
    )
    .action((archive: string, flags: DecompressFlags) =>
      run(async (signal) => {
        const { decompress } = await import('../../index.js');
        let progress: RowProgress | undefined;
        try {
          const result = await decompress(archive, {
            output: flags.out,
            ...(flags.model !== undefined && { model: flags.model }),
            ...(flags.salvage && { salvage: true }),
            ...(flags.force && { force: true }),
            ...(flags.skipExisting && { skipExisting: true }),
            ...(flags.rename && { rename: flags.rename }),
            ...memoryOptions(flags),
            ...(flags.maxOutput !== undefined && { maxOutputBytes: flags.maxOutput }),
            ...(flags.threads !== undefined && { threads: flags.threads }),
            signal,
            onProgress: ({ items: done, totalItems }) => {
              progress ??= new RowProgress('unpacking', totalItems, 1024, flags.progress);
              progress.update(done);
            },
          });
          progress?.close();
          return told(result, flags.out);
        } finally {
          progress?.close();
        }
      }),
    );

function told(result: DecompressResult, out: string): CommandResult {
  const { items, files, bytesOut, path, damaged, complete, resumedChunks, seconds } = result;
  const { renamed, skipped, lostItems, totalItems, notes } = result;
  for (const each of notes) note(`note: ${each}`);
  for (const { name, as, reason } of renamed) note(`renamed: ${shown(name)} came out as ${shown(as)}: ${reason}`);
  for (const each of skipped) note(`left as it is: ${each.path} is there with other bytes`);
  return {
    data: {
      ...{ path, items, files, bytesOut, complete, damaged, lostItems, totalItems },
      ...{ renamed, skipped, resumedChunks, notes, seconds },
    },
    rows: [
      ['Unpacked', path],
      ['Items', count(items)],
      ['Speed', `${(bytesOut / 1e6 / seconds).toFixed(2)} MB/s`],
      ...(files > items ? [['Files', count(files)] as const] : []),
      ...(resumedChunks > 0 ? [['Resumed', `${count(resumedChunks)} chunks were there`] as const] : []),
      ...(renamed.length > 0 ? [['Renamed', `${count(renamed.length)} files, named above`] as const] : []),
      ...(skipped.length > 0 ? [['Left', `${count(skipped.length)} files that were there, named above`] as const] : []),
      ...(complete ? [] : [['Incomplete', 'the archive has no end; there may have been more items'] as const]),
      ...(damaged.length > 0 ? [['Lost', `${count(lostItems)} of ${count(totalItems)} items`] as const] : []),
      ...damaged.map(({ chunk, reason }) => [`Chunk ${chunk} lost`, reason] as const),
    ],
    partly: damaged.length > 0 || !complete || skipped.length > 0,
    onStderr: out === '-',
  };
}
