import type { RunResult } from '../../index.js';
import type { RegisterCommand } from '../command.js';
import { type FoundRun, findRuns } from '../find-runs.js';
import { count } from '../output.js';
import { duration } from '../progress.js';
import { fromHere } from '../recording.js';
import type { CommandResult } from '../result.js';

export const registerRuns: RegisterCommand = (program, run) => {
  const command = program
    .command('runs')
    .summary('list training runs and compare them')
    .description(
      'Lists the runs that train wrote, below the folders named (default: this one), by when they began. ' +
        'With --compare, also every option in which they differ.',
    )
    .argument('[folders...]', 'run directories, or folders of them')
    .option('--compare', 'show the options, data and versions that differ, side by side')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae runs
  $ node-vae runs experiments/ --json
  $ node-vae runs small/ wide/ --compare

A run that says killed, interrupted or failed goes on with: node-vae train DATA -o RUN --resume`,
    );
  return command.action((folders: string[], flags: { compare?: boolean }) =>
    run(async () => {
      const runs = await findRuns(folders.length > 0 ? folders : ['.']);
      const listed = { data: { runs: runs.map(describe) }, rows: table(COLUMNS, runs.map(columnsOf)) };
      if (runs.length === 0) return { ...listed, rows: [['Runs', 'none found; node-vae train makes one']] };
      if (!flags.compare) return listed;
      const differences = differ(runs);
      const rows = table(
        ['', ...runs.map(({ directory }) => fromHere(directory))],
        Object.entries(differences).map(([name, values]) => [name, ...values.map(show)]),
      );
      const same: CommandResult['rows'] = [['Differences', 'none: the same options, data and versions']];
      const shown = Object.keys(differences).length > 0 ? rows : same;
      return { data: { ...listed.data, differences }, rows: [...listed.rows, ['', ''], ...shown] };
    }),
  );
};

const COLUMNS = [
  'Run',
  'State',
  'Epochs',
  'Loss',
  'Validation',
  'KL',
  'Active',
  'Parameters',
  'Rows/s',
  'Time',
  'Began',
];

function columnsOf(found: FoundRun): string[] {
  const { directory, last, state } = found;
  const { epochs, of, train, validation, latents, parameterCount, rowsPerSecond, seconds } = figures(found);
  const fixed = (value: number | undefined) => value?.toFixed(2) ?? '-';
  return [
    fromHere(directory),
    state,
    of === undefined ? String(epochs) : `${epochs}/${of}`,
    fixed(train?.loss),
    fixed(validation?.loss),
    fixed((validation ?? train)?.kl),
    latents ? `${latents.activeUnits}/${latents.units}` : '-',
    parameterCount === undefined ? '-' : count(parameterCount),
    rowsPerSecond === undefined ? '-' : count(rowsPerSecond),
    seconds === undefined ? '-' : duration(seconds),
    last.started.slice(0, 16).replace('T', ' '),
  ];
}

/** Of the result where there is one, else of the last epoch that was logged. */
function figures({ record, epoch }: FoundRun): Partial<RunResult> & { epochs: number; of?: number; seconds?: number } {
  const { result, parts } = record;
  const ended = parts.filter(({ seconds }) => seconds !== undefined);
  const seconds = ended.reduce((sum, part) => sum + part.seconds!, 0);
  return {
    epochs: epoch?.epoch ?? 0,
    ...(epoch && { of: epoch.epochs, train: epoch.train, rowsPerSecond: epoch.examplesPerSecond }),
    ...(epoch?.validation && { validation: epoch.validation }),
    ...(epoch?.latents && { latents: epoch.latents }),
    ...result,
    ...(ended.length > 0 && { seconds }),
  };
}

function describe(found: FoundRun): object {
  const { directory, record, last, state } = found;
  return {
    directory,
    state,
    started: last.started,
    ...figures(found),
    seed: record.seed,
    model: record.model,
    settings: last.settings,
    data: { path: last.command.path, ...last.data },
    environment: last.environment,
  };
}

/** What is not the same in all runs, by its name. */
function differ(runs: readonly FoundRun[]): Record<string, unknown[]> {
  const flattened = runs.map(({ record, last }) =>
    flatten({
      model: record.model,
      fit: last.settings.fit,
      seed: record.seed,
      data: { path: last.command.path, ...last.data },
      parts: record.parts.length,
      environment: last.environment,
    }),
  );
  const names = [...new Set(flattened.flatMap((options) => Object.keys(options)))];
  const values = (name: string) => flattened.map((options) => options[name]);
  return Object.fromEntries(
    names
      .filter((name) => new Set(values(name).map((value) => JSON.stringify(value))).size > 1)
      .map((name) => [name, values(name)]),
  );
}

function flatten(value: unknown, path = ''): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { [path]: value };
  const inner = Object.entries(value).map(([key, item]) => flatten(item, path === '' ? key : `${path}.${key}`));
  return Object.assign({}, ...inner) as Record<string, unknown>;
}

function show(value: unknown): string {
  if (value === undefined) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

/** Columns in line; the first is the name that the printer sets apart. */
function table(header: readonly string[], lines: readonly (readonly string[])[]): [string, string][] {
  const widths = header.map((name, index) => Math.max(name.length, ...lines.map((line) => line[index]!.length)));
  return [header, ...lines].map(([name, ...rest]) => [
    name!,
    rest
      .map((cell, index) => cell.padEnd(widths[index + 1]!))
      .join('  ')
      .trimEnd(),
  ]);
}
