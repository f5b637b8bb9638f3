import type { FigureName } from '../../index.js';
import { addForceOption, claimOutput, type OutputFlags } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import {
  addDataOptions,
  addSessionOptions,
  DATA_ARGUMENT,
  type DataFlags,
  loadData,
  type SessionFlags,
  sessionOptions,
  tellNotes,
} from '../shared-options.js';

interface PlotFlags extends DataFlags, SessionFlags, OutputFlags {
  readonly only?: string;
  readonly format: Format;
  readonly report?: boolean;
}

const FORMATS = ['png', 'svg', 'both'] as const;
type Format = (typeof FORMATS)[number];

export const registerPlot: RegisterCommand = (program, run) => {
  const command = addForceOption(program.command('plot'))
    .summary('draw what a model does with data')
    .description(
      'Draws a model and data as pictures, as far as the data allow: reconstructions, samples, traversals, ' +
        'interpolations, the latent plane, latent space coloured by label, use of latent dimensions, residuals; ' +
        'waveforms or spectrograms of sound, clips of video, real and synthetic columns of tables.',
    )
    .argument('<model>', 'model directory, or the name of a model of this package')
    .argument('<data>', DATA_ARGUMENT)
    .option('-o, --out <dir>', 'folder for the pictures')
    .option('--only <names>', 'figures to draw, with commas between, such as traversals,latent-space')
    .option('--format <name>', 'png, svg or both', 'png')
    .option('--report', 'also join them in report.html');
  addSessionOptions(addDataOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ node-vae plot mnist-mlp mnist/ --part test -o figures/
  $ node-vae plot my-model photos/ -o figures/ --only traversals,residuals --format svg

Figures: reconstructions, samples, waveforms, spectrograms, clips, columns, traversals, interpolations, manifold (of two
latent dimensions), latent-space, latent-use, residuals.`,
  );
  return command.action((source: string, path: string, flags: PlotFlags) =>
    run(async (signal) => {
      const out = await claimOutput(flags);
      if (!FORMATS.includes(flags.format)) {
        throw new CliError('ERR_VAE_OPTION', `--format: expected ${FORMATS.join(', ')}, received "${flags.format}".`);
      }
      const { Vae, writeFigures, writeReport } = await import('../../index.js');
      await using vae = await Vae.load(source, sessionOptions(flags));
      const data = tellNotes(await loadData(path, flags, signal, vae.recipe));
      const only = flags.only?.split(',').map((name) => name.trim()) as FigureName[] | undefined;
      const figures = await vae.plot(data, { ...(only && { only }), signal });
      const files = await writeFigures(out, figures, { format: flags.format });
      const { architecture, latentDim } = vae.info;
      const report = flags.report
        ? await writeReport(out, {
            title: 'What the model does',
            subtitle: `${source}: ${architecture.type}, ${latentDim} latent dimensions`,
            figures,
            details: [['Data', `${path}, ${data.length.toLocaleString('en-US')} rows`]],
            data: { model: source, data: path, figures: figures.map(({ id }) => id) },
          })
        : undefined;
      return {
        data: { model: source, figures: figures.map(({ id }) => id), files, ...(report && { report: report.page }) },
        rows: [
          ...figures.map(({ title }, index) => [title, files[index * (flags.format === 'both' ? 2 : 1)]!] as const),
          ...(report ? [['Report', report.page] as const] : []),
        ],
      };
    }),
  );
};
