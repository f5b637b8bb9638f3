import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { CurvePoint } from '../../entries/explorer/index.js';
import { claimPath } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { METRICS_FILE } from '../find-runs.js';
import { count, note } from '../output.js';
import { wholeNumber } from '../parse.js';
import type { CommandResult } from '../result.js';
import {
  addDataOptions,
  addSessionOptions,
  DATA_ARGUMENT,
  type DataFlags,
  describeData,
  loadData,
  type SessionFlags,
  sessionOptions,
  tellNotes,
} from '../shared-options.js';

interface ExploreFlags extends DataFlags, SessionFlags {
  readonly port: number;
  readonly host: string;
  readonly model?: string;
  readonly export?: string;
  readonly force?: boolean;
}

export const registerExplore: RegisterCommand = (program, run) => {
  const command = program
    .command('explore')
    .summary('open a page that shows what a model has learned, or what an archive holds')
    .description(
      'Serves a page on this machine, until Ctrl-C: a map of the latents of data, every row with its reconstruction and\n' +
        'score, decoding by dragging, what lies between rows, and whether the latent space is well. Needs the package\n' +
        'node-vae-explorer.',
    )
    .argument('<model>', 'model directory, the name of a model of this package, or an archive (.vaez)')
    .argument('[data]', `${DATA_ARGUMENT} (default: draws from the prior)`)
    .option('--port <n>', 'port; 0: any that is free', wholeNumber(0), 0)
    .option(
      '--host <name>',
      'address to listen on; others than this machine need the token of the address',
      '127.0.0.1',
    )
    .option(
      '-m, --model <model>',
      'archives: codec model; not needed where the archive embeds it or the package has it',
    )
    .option('--export <folder>', 'write the page as files for any web server instead; the decoder runs in the browser')
    .option('--force', 'replace an earlier export');
  addSessionOptions(addDataOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ node-vae explore mnist-mlp mnist/ --part test
  $ node-vae explore my-model photos/ --limit 5000
  $ node-vae explore scans.vaez
  $ node-vae explore mnist-mlp mnist/ --part test --limit 2000 --export site/

The address that is printed opens the page; nothing is written to disk, and nothing is loaded from elsewhere.`,
  );
  return command.action((source: string, path: string | undefined, flags: ExploreFlags) =>
    run((signal) => {
      if (/\.vaez$/i.test(source)) return exploreFile(source, path, flags, signal);
      return explore(source, path, flags, signal);
    }),
  );
};

async function explore(
  source: string,
  path: string | undefined,
  flags: ExploreFlags,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { Vae } = await import('../../index.js');
  const { exploreModel, exportPage } = await import('../../entries/explorer/index.js');
  await using vae = await Vae.load(source, sessionOptions(flags));
  const data = path === undefined ? undefined : tellNotes(await loadData(path, flags, signal, vae.recipe));
  if (data) note(`Data        ${describeData(data)} (${path})`);
  const name = basename(resolve(source)) || source;
  const { host, port } = flags;
  const curves = await curvesOf(source);
  if (flags.export !== undefined) {
    await claimPath(flags.export, flags.force);
    const written = await exportPage({ vae, name, data, path, curves, folder: flags.export, signal });
    if (data && !written.rows) note('The rows themselves are too many to be put into the page; --limit takes fewer.');
    return {
      data: { explored: source, ...written },
      rows: [
        ['Page', join(flags.export, 'index.html')],
        ['Size', `${count(written.files)} files, ${(written.bytes / 1e6).toFixed(1)} MB`],
        ['Next', 'put the folder on any web server; it works without Node'],
      ],
    };
  }
  const explorer = await exploreModel({ vae, name, data, path, curves, host, port });
  return await served(explorer, source, signal);
}

/** Of the run whose directory this is. */
async function curvesOf(directory: string): Promise<CurvePoint[]> {
  const file = join(directory, METRICS_FILE);
  if (!existsSync(file)) return [];
  const { readMetrics } = await import('../../index.js');
  const events = await readMetrics(file).catch(() => []);
  return events.flatMap((event) =>
    event.kind === 'epoch'
      ? [
          {
            epoch: event.epoch,
            train: event.train,
            validation: event.validation,
            activeUnits: event.latents?.activeUnits,
          },
        ]
      : [],
  );
}

async function exploreFile(
  source: string,
  path: string | undefined,
  flags: ExploreFlags,
  signal: AbortSignal,
): Promise<CommandResult> {
  if (path !== undefined)
    throw new CliError('ERR_VAE_OPTION', 'An archive is explored without data: it holds its own.');
  if (flags.export !== undefined) {
    throw new CliError(
      'ERR_VAE_OPTION',
      '--export writes the page of a model; an archive needs its decoder on a server.',
    );
  }
  const { exploreArchive } = await import('../../entries/explorer/index.js');
  const { host, port, model } = flags;
  const explorer = await exploreArchive({ path: source, host, port, ...(model !== undefined && { model }) });
  return await served(explorer, source, signal);
}

/** Until Ctrl-C. */
async function served(
  explorer: { readonly address: string; close(): Promise<void> },
  source: string,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { address } = explorer;
  try {
    note(`Open ${address} in a browser; Ctrl-C ends.`);
    if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
  } finally {
    await explorer.close();
  }
  return { data: { explored: source, address }, rows: [['Explored', source]], endsBySignal: true };
}
