import { addForceOption, claimOutput, type OutputFlags } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { wholeNumber } from '../parse.js';
import {
  addLabelOption,
  addSessionOptions,
  type LabelFlags,
  labelOptions,
  type SessionFlags,
  sessionOptions,
} from '../shared-options.js';
import { OUTPUT_PATH, writeDecoded } from '../write-output.js';

interface DecodeFlags extends LabelFlags, SessionFlags, OutputFlags {
  readonly labels?: string;
  readonly columns?: number;
  readonly limit?: number;
}

export const registerDecode: RegisterCommand = (program, run) => {
  const command = addForceOption(program.command('decode'))
    .summary('turn latents back into data')
    .description(
      'Decodes latents: writes the mean of the likelihood for each row of a .npy file [rows, latent dimensions].',
    )
    .argument('<model>', 'model directory, or the name of a model of this package')
    .argument('<latents>', '.npy file, as `node-vae encode` writes it')
    .option('-o, --out <path>', OUTPUT_PATH)
    .option('--columns <n>', 'pictures in a row of the grid (default: about square)', wholeNumber(1))
    .option('--labels <file>', 'for conditional models: class numbers of the rows, as .npy or IDX file')
    .option('--limit <n>', 'decode the first n rows only', wholeNumber(1));
  addSessionOptions(addLabelOption(command)).addHelpText(
    'after',
    `
Examples:
  $ node-vae decode mnist-mlp latents.npy -o digits.png --limit 100
  $ node-vae decode mnist-mlp latents.npy -o digits/
  $ node-vae decode my-model latents.npy -o decoded.npy`,
  );
  return command.action((source: string, path: string, flags: DecodeFlags) =>
    run(async (signal) => {
      const out = await claimOutput(flags);
      const { readDataset, Vae } = await import('../../index.js');
      await using vae = await Vae.load(source, sessionOptions(flags));
      const all = await readDataset(path, { ...(flags.labels && { labels: flags.labels }), signal });
      const latents = await (flags.limit === undefined ? all : all.take(flags.limit)).toMemory(signal);
      const rows = { data: latents.memory!, shape: [latents.length, ...latents.rowShape] };
      const { recipe } = vae;
      // Latents of a whole picture, from a model of crops.
      const whole = recipe?.kind === 'image' && recipe.anySize && latents.rowShape.join() !== vae.latentShape.join();
      const decoded = whole
        ? await vae.decodePicture(rows, { signal })
        : await vae.decode(
            { ...rows, ...(latents.labels && { labels: latents.labels }) },
            { ...labelOptions(flags), signal },
          );
      const { files, summary, onStderr } = await writeDecoded(vae, out, decoded, columnsOf(flags));
      return {
        data: { model: source, rows: latents.length, shape: decoded.dims, files },
        rows: [['Decoded', summary]],
        onStderr,
      };
    }),
  );
};

function columnsOf({ columns }: { readonly columns?: number }): { columns?: number } {
  return columns === undefined ? {} : { columns };
}
