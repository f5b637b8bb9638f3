import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { RebuiltFile, Vae } from '../../index.js';
import { addForceOption, claimOutput, type OutputFlags } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { addBadFileOptions, type BadFileFlags } from '../kind-options.js';
import { count, note } from '../output.js';
import { wholeNumber } from '../parse.js';
import { RowProgress } from '../progress.js';
import { addSessionOptions, type SessionFlags, sessionOptions } from '../shared-options.js';

interface ReconstructFlags extends SessionFlags, BadFileFlags, OutputFlags {
  readonly bits?: number;
  readonly window?: number;
}

const ENDINGS = { image: '.png', table: '.csv', audio: '.wav', video: '.y4m', array: '.npy' } as const;

export const registerReconstruct: RegisterCommand = (program, run) => {
  const command = addForceOption(program.command('reconstruct'))
    .summary('pass files through a model and write what it makes of them')
    .description(
      'Encodes and decodes files of the kind the model was trained on: pictures (of any size, for models of crops), ' +
        'sound and video of any length, in the memory of a few rows, and tables, in which missing values are filled in. ' +
        'Says how far the result is from the original.',
    )
    .argument('<model>', 'model directory')
    .argument('<input>', 'a file, or a folder of them')
    .option('-o, --out <path>', 'file to write: .png, .wav, .y4m (or .mp4 and others with ffmpeg), .csv; or a folder')
    .option('--bits <n>', 'sound: bits of a sample, 8, 16, 24 or 32 (default: 16)', wholeNumber(8))
    .option(
      '--window <n>',
      'video, models of single frames: blend the latents of n frames, an odd number',
      wholeNumber(1),
    );
  addSessionOptions(addBadFileOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ node-vae reconstruct stones wall.jpg -o wall.png
  $ node-vae reconstruct voices interview.wav -o rebuilt.wav
  $ node-vae reconstruct passengers with-gaps.csv -o complete.csv
  $ node-vae reconstruct stones photos/ -o rebuilt/ --skip-bad`,
  );
  return command.action((source: string, input: string, flags: ReconstructFlags) =>
    run(async (signal) => {
      const out = await claimOutput(flags);
      const { Vae, VaeError } = await import('../../index.js');
      await using vae = await Vae.load(source, sessionOptions(flags));
      const files = await pairs(vae, input, out);
      const progress = new RowProgress('reconstructing', files.length, 1);
      const done: ({ input: string; output: string } & RebuiltFile)[] = [];
      const skipped: string[] = [];
      try {
        for (const { from, to } of files) {
          try {
            const options = {
              ...(flags.bits !== undefined && { bits: flags.bits as 16 }),
              ...(flags.window !== undefined && { window: flags.window }),
              ...(flags.acceptTruncated && { acceptTruncated: true }),
              ...(flags.page !== undefined && { page: flags.page }),
              ...(flags.strict && { strict: true }),
              ...(flags.maxPixels !== undefined && { maxPixels: flags.maxPixels }),
              signal,
            };
            done.push({ input: from, output: to, ...(await vae.reconstructFile(from, to, options)) });
          } catch (error) {
            const bad = error instanceof VaeError && ['ERR_VAE_FORMAT', 'ERR_VAE_DATA'].includes(error.code);
            if (!flags.skipBad || !bad) throw error;
            skipped.push(from);
            note(`Skipped     ${from}: ${(error as Error).message}`);
          }
          progress.update(done.length + skipped.length);
        }
      } finally {
        progress.close();
      }
      return {
        data: { model: source, files: done, ...(skipped.length > 0 && { skipped }) },
        rows: [
          ...done.slice(0, 20).map((file) => [file.output, describe(file)] as const),
          ...(done.length > 20 ? [['…', `${count(done.length - 20)} more`] as const] : []),
        ],
      };
    }),
  );
};

async function pairs(vae: Vae, input: string, out: string): Promise<{ from: string; to: string }[]> {
  const info = await stat(input).catch(() => undefined);
  if (!info) throw new CliError('ERR_VAE_IO', `There is no file or folder "${input}". Check the path.`);
  if (!info.isDirectory()) {
    const folder = await stat(out).then(
      (found) => found.isDirectory(),
      () => false,
    );
    return [{ from: input, to: folder || out.endsWith('/') ? join(out, renamed(vae, input)) : out }];
  }
  const names = (await readdir(input)).filter((name) => !name.startsWith('.')).sort();
  if (names.length === 0) throw new CliError('ERR_VAE_DATA', `The folder "${input}" is empty.`);
  const targets = names.map((name) => renamed(vae, name));
  const twice = targets.findIndex((name, index) => targets.indexOf(name) !== index);
  return names.map((name, index) => ({
    from: join(input, name),
    // Two files of one name but for the ending would overwrite each other.
    to: join(out, twice < 0 ? targets[index]! : `${name}${ENDINGS[vae.recipe?.kind ?? 'array']}`),
  }));
}

function renamed(vae: Vae, name: string): string {
  return basename(name, extname(name)) + ENDINGS[vae.recipe?.kind ?? 'array'];
}

function describe(file: RebuiltFile): string {
  switch (file.kind) {
    case 'image':
      return `${file.width}×${file.height}, PSNR ${file.psnr.toFixed(2)} dB`;
    case 'table':
      return `${count(file.rows)} rows, ${count(file.filled)} missing values filled in`;
    case 'audio':
      return (
        `${file.seconds.toFixed(2)} s, signal-to-noise ratio ${file.snr!.toFixed(2)} dB, ` +
        `spectral distance ${file.spectralDistance!.toFixed(3)}${file.clipped > 0 ? `, ${count(file.clipped)} samples too loud and cut` : ''}`
      );
    case 'array':
      return `${count(file.rows)} rows, mean squared error ${file.meanSquaredError.toPrecision(4)}`;
    case 'video':
      return `${count(file.frames)} frames, PSNR ${file.psnr.toFixed(2)} dB`;
  }
}
