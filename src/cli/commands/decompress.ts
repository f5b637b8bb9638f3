import type { RegisterCommand } from '../command.js';
import { count } from '../output.js';
import { wholeNumber } from '../parse.js';
import { RowProgress } from '../progress.js';

interface DecompressFlags {
  readonly model?: string;
  readonly out: string;
  readonly salvage?: boolean;
  readonly maxOutput?: number;
  readonly threads?: number;
}

export const registerDecompress: RegisterCommand = (program, run) =>
  program
    .command('decompress')
    .summary('unpack an archive')
    .description(
      'Unpacks an archive: the IDX, .npy or WAV files that went in, or the images as PNG, with the same pixels unless ' +
        'they were compressed with --lossy.',
    )
    .argument('<archive>', 'a .vaez file')
    .requiredOption('-o, --out <folder>', 'where the files go; made where missing')
    .option('-m, --model <model>', 'codec model; not needed where the archive embeds it or the package has it')
    .option('--salvage', 'unpack what can be decoded although chunks are damaged or the end is missing')
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
          const { items, bytesOut, path, damaged, complete, resumedChunks, seconds } = await decompress(archive, {
            output: flags.out,
            ...(flags.model !== undefined && { model: flags.model }),
            ...(flags.salvage && { salvage: true }),
            ...(flags.maxOutput !== undefined && { maxOutputBytes: flags.maxOutput }),
            ...(flags.threads !== undefined && { threads: flags.threads }),
            signal,
            onProgress: ({ items: done, totalItems }) => {
              progress ??= new RowProgress('unpacking', totalItems, 1024);
              progress.update(done);
            },
          });
          return {
            data: { path, items, bytesOut, complete, damaged, resumedChunks, seconds },
            rows: [
              ['Unpacked', path],
              ['Items', count(items)],
              ['Speed', `${(bytesOut / 1e6 / seconds).toFixed(2)} MB/s`],
              ...(resumedChunks > 0 ? [['Resumed', `${count(resumedChunks)} chunks were there`] as const] : []),
              ...(complete ? [] : [['Incomplete', 'the archive has no end; there may have been more items'] as const]),
              ...damaged.map(({ chunk, reason }) => [`Chunk ${chunk} lost`, reason] as const),
            ],
          };
        } finally {
          progress?.close();
        }
      }),
    );
