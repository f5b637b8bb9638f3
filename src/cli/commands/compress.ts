import { InvalidArgumentError, Option } from 'commander';
import {
  addProgressOption,
  addSelectOptions,
  type ProgressFlags,
  type SelectFlags,
  selectOptions,
  tellSelected,
} from '../archive-options.js';
import { checkEnding } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { count } from '../output.js';
import { decimal, wholeNumber } from '../parse.js';
import { RowProgress, ShareProgress } from '../progress.js';
import type { CommandResult } from '../result.js';

interface CompressFlags extends SelectFlags, ProgressFlags {
  readonly model?: string;
  readonly out: string;
  readonly lossy?: number;
  readonly metrics: boolean;
  readonly chunk?: number;
  readonly threads?: number;
  readonly verify: boolean;
  readonly embedModel?: boolean;
  readonly append?: boolean;
  readonly pixelsOnly?: boolean;
  readonly dropPartial?: boolean;
  readonly keepFiles?: boolean;
  readonly effort?: 'fast' | 'best';
  readonly maxPicture?: number;
}

const EFFORTS = ['fast', 'best'] as const;

export const registerCompress: RegisterCommand = (program, run) =>
  addProgressOption(addSelectOptions(program.command('compress')))
    .summary('pack pictures without loss, other items with a codec model, or pictures with loss')
    .description(
      'Compresses pictures of any size without loss: no model need be named, and PNG files come out with the same samples ' +
        'and everything that stood beside them. With a model, items of one shape: an IDX or .npy file of bytes, or images; ' +
        'and WAV files, with a model of sound. The archive decodes on every machine, to the same bytes. An interrupted run goes on where it stopped when it is started again. ' +
        'With --lossy, pictures of any size become much smaller and come out again nearly as they were. ' +
        'Whatever else is under the inputs is stored as it is, so that a folder comes out as it went in.',
    )
    .argument(
      '<input...>',
      'pictures and folders of them; with a model an IDX or .npy file of bytes, or WAV files; - is standard input',
    )
    .option(
      '-m, --model <model>',
      'codec model: a folder or file, or the name of one of this package (without: pictures of any size; photo-lossy with --lossy)',
    )
    .requiredOption(
      '-o, --out <file.vaez>',
      'the archive; appears under this name when it is complete; - is standard output',
    )
    .option('--lossy <quality>', 'pictures with loss: 0, the smallest, to 100, the best', quality)
    .option('--no-metrics', 'with --lossy: do not measure PSNR and MS-SSIM')
    .option('--append', 'add to an archive that exists')
    .option('--embed-model', 'put the model into the archive, so that nothing else is needed to unpack it')
    .option('--chunk <items>', 'items decoded together to get at one of them (256)', wholeNumber(1))
    .option('--threads <n>', 'chunks coded at once (one per processor)', wholeNumber(1))
    .option('--no-verify', 'do not unpack the archive, without writing, and compare before it gets its name')
    .option(
      '--pixels-only',
      'keep the pixels of pictures alone, where JPEG, profiles, EXIF data or frames are more than that',
    )
    .option('--keep-files', 'pictures without -m: every file comes out byte for byte, which takes more bytes')
    .addOption(
      new Option('--effort <how>', 'pictures without -m: fast, or best, the default, for fewer bytes').choices(EFFORTS),
    )
    .option(
      '--max-picture <MB>',
      'pictures without -m: store those as they are whose pixels take more (4295)',
      wholeNumber(1),
    )
    .option(
      '--drop-partial',
      'drop what an interrupted job of other input or options left, instead of keeping it aside',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae compress photographs/ -o photographs.vaez
  $ node-vae compress t10k-images-idx3-ubyte -m mnist-codec -o digits.vaez
  $ node-vae compress scans/ -m my-codec -o scans.vaez --embed-model
  $ node-vae compress today/ -m my-codec -o scans.vaez --append
  $ node-vae compress recordings/ -m sound-codec -o recordings.vaez
  $ node-vae compress photographs/ --lossy 50 -o photographs.vaez`,
    )
    .action((input: string[], flags: CompressFlags) =>
      run(async (signal) => {
        if (!isStream(flags.out)) checkEnding(flags.out, ['.vaez']);
        if (flags.lossy !== undefined) return lossily(input, flags, flags.lossy, signal);
        const { compress } = await import('../../index.js');
        const progress = new ShareProgress('compressing', flags.progress);
        try {
          const result = await compress(input, {
            ...(flags.model !== undefined && { model: flags.model }),
            output: flags.out,
            verify: flags.verify,
            ...selectOptions(flags),
            ...(flags.embedModel && { embedModel: true }),
            ...(flags.append && { append: true }),
            ...(flags.pixelsOnly && { pixelsOnly: true }),
            ...(flags.dropPartial && { dropPartial: true }),
            ...(flags.keepFiles && { keepFiles: true }),
            ...(flags.effort && { effort: flags.effort }),
            ...(flags.maxPicture !== undefined && { maxPictureBytes: flags.maxPicture * 1e6 }),
            ...(flags.chunk !== undefined && { chunkItems: flags.chunk }),
            ...(flags.threads !== undefined && { threads: flags.threads }),
            signal,
            onProgress: (each) => progress.update(each),
          });
          progress.close();
          const { items, bytesIn, bytesOut, bitsPerDim, chunks, resumedChunks, already, verified, seconds } = result;
          const { storedFiles, storedBecause, leftOut, excluded, notes } = result;
          const more = tellSelected(result);
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
                already,
              },
              ...{ storedFiles, storedBecause, leftOut, excluded, verified, notes, seconds },
            },
            rows: [
              ['Archive', flags.out],
              ['Items', count(items)],
              [
                'Size',
                `${count(bytesOut)} bytes of ${count(bytesIn)} (${((100 * bytesOut) / Math.max(1, bytesIn)).toFixed(1)}%), ${bitsPerDim.toFixed(3)} bits per byte`,
              ],
              ['Speed', `${(bytesIn / 1e6 / seconds).toFixed(2)} MB/s${verified ? ', verified' : ''}`],
              ...(resumedChunks > 0 && !already
                ? [['Resumed', `${count(resumedChunks)} chunks were there`] as const]
                : []),
              ...more,
            ],
            partly: leftOut.length > 0,
            onStderr: isStream(flags.out),
          };
        } finally {
          progress.close();
        }
      }),
    );

function quality(text: string): number {
  const value = decimal(text);
  if (value > 100) throw new InvalidArgumentError('Expected a quality from 0 to 100.');
  return value;
}

async function lossily(
  input: string[],
  flags: CompressFlags,
  quality: number,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { model, out, verify, embedModel, metrics, threads, dropPartial } = flags;
  for (const flag of ['append', 'chunk', 'pixelsOnly', 'keepFiles', 'effort', 'maxPicture'] as const) {
    const name = flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (flags[flag] !== undefined) throw new CliError('ERR_VAE_OPTION', `--${name} does not go with --lossy.`);
  }
  const { compressPictures } = await import('../../index.js');
  let progress: RowProgress | undefined;
  try {
    const result = await compressPictures(input, {
      ...{ quality, output: out, verify, metrics, signal },
      ...selectOptions(flags),
      ...(model !== undefined && { model }),
      ...(embedModel && { embedModel }),
      ...(dropPartial && { dropPartial }),
      ...(threads !== undefined && { threads }),
      onProgress: ({ pictures, totalPictures }) => {
        progress ??= new RowProgress('compressing', totalPictures, 16, flags.progress);
        progress.update(pictures);
      },
    });
    progress?.close();
    const { pictures, pixels, bytesOut, bitsPerPixel, psnr, msSsim, resumedChunks, verified, seconds } = result;
    const { storedFiles, storedBecause, leftOut, excluded, notes } = result;
    const more = tellSelected(result);
    return {
      data: {
        ...{ archive: out, quality, pixels, bytesOut, bitsPerPixel, psnr, msSsim, seconds, pictures },
        ...{ resumedChunks, storedFiles, storedBecause, leftOut, excluded, verified, notes },
      },
      rows: [
        ['Archive', out],
        ['Pictures', count(pictures.length)],
        ['Size', `${count(bytesOut)} bytes, ${bitsPerPixel.toFixed(3)} bits per pixel`],
        ...(psnr === undefined ? [] : [['PSNR', `${psnr.toFixed(2)} dB`] as const]),
        ...(msSsim === undefined ? [] : [['MS-SSIM', msSsim.toFixed(4)] as const]),
        ['Speed', `${(pixels / 1e6 / seconds).toFixed(2)} million pixels/s${verified ? ', verified' : ''}`],
        ...(resumedChunks > 0 ? [resumedRow(resumedChunks)] : []),
        ...more,
      ],
      partly: leftOut.length > 0,
      onStderr: isStream(out),
    };
  } finally {
    progress?.close();
  }
}

function resumedRow(chunks: number): readonly [string, string] {
  return ['Resumed', `${count(chunks)} chunks were there`];
}

/** Whether standard output carries the archive. */
function isStream(path: string): boolean {
  return path === '-' || path === '/dev/stdout';
}
