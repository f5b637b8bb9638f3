import { count } from '../output.js';
import { wholeNumber } from '../parse.js';
import { RowProgress } from '../progress.js';
import type { RegisterCommand } from './index.js';

interface CompressFlags {
  readonly model: string;
  readonly out: string;
  readonly chunk?: number;
  readonly threads?: number;
  readonly verify: boolean;
  readonly embedModel?: boolean;
  readonly append?: boolean;
}

export const registerCompress: RegisterCommand = (program, run) =>
  program
    .command('compress')
    .summary('pack items without loss, with a codec model')
    .description(
      'Compresses items of one shape without loss: an IDX or .npy file of bytes, or images. The archive decodes on ' +
        'every machine, to the same bytes. An interrupted run goes on where it stopped when it is started again.',
    )
    .argument('<input...>', 'an IDX or .npy file of bytes; or images, and folders of images')
    .requiredOption('-m, --model <model>', 'codec model: a folder or file, or the name of one of this package')
    .requiredOption('-o, --out <file.vaez>', 'the archive; appears under this name when it is complete')
    .option('--append', 'add to an archive that exists')
    .option('--embed-model', 'put the model into the archive, so that nothing else is needed to unpack it')
    .option('--chunk <items>', 'items decoded together to get at one of them (256)', wholeNumber(1))
    .option('--threads <n>', 'chunks coded at once (one per processor)', wholeNumber(1))
    .option('--no-verify', 'do not decode each chunk again before it is written')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae compress t10k-images-idx3-ubyte -m mnist-codec -o digits.vaez
  $ node-vae compress scans/ -m my-codec -o scans.vaez --embed-model
  $ node-vae compress today/ -m my-codec -o scans.vaez --append`,
    )
    .action((input: string[], flags: CompressFlags) =>
      run(async (signal) => {
        const { compress } = await import('../../index.js');
        let progress: RowProgress | undefined;
        try {
          const result = await compress(input, {
            model: flags.model,
            output: flags.out,
            verify: flags.verify,
            ...(flags.embedModel && { embedModel: true }),
            ...(flags.append && { append: true }),
            ...(flags.chunk !== undefined && { chunkItems: flags.chunk }),
            ...(flags.threads !== undefined && { threads: flags.threads }),
            signal,
            onProgress: ({ items, totalItems }) => {
              progress ??= new RowProgress('compressing', totalItems, 1024);
              progress.update(items);
            },
          });
          const { items, bytesIn, bytesOut, bitsPerDim, chunks, resumedChunks, seconds } = result;
          return {
            data: {
              ...{
                archive: flags.out,
                model: flags.model,
                items,
                bytesIn,
                bytesOut,
                bitsPerDim,
                chunks,
                resumedChunks,
              },
              seconds,
            },
            rows: [
              ['Archive', flags.out],
              ['Items', count(items)],
              ['Size', `${count(bytesOut)} bytes of ${count(bytesIn)}, ${bitsPerDim.toFixed(3)} bits per value`],
              ['Speed', `${(bytesIn / 1e6 / seconds).toFixed(2)} MB/s${flags.verify ? ', verified' : ''}`],
              ...(resumedChunks > 0 ? [['Resumed', `${count(resumedChunks)} chunks were there`] as const] : []),
            ],
          };
        } finally {
          progress?.close();
        }
      }),
    );
