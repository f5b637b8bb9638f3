import type { ArchiveReport } from '../../index.js';
import { shown } from '../archive-options.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { count } from '../output.js';
import type { CommandResult } from '../result.js';
import { ARCHIVE_COMMANDS } from './archive-edit.js';

const MOST_NAMES = 10;

interface ArchiveFlags {
  readonly model?: string;
}

export const registerArchive: RegisterCommand = (program, run) => {
  const archive = program
    .command('archive')
    .summary('look into an archive, test, join, take apart, leave files out')
    .description(
      'Everything about archives that exist: what they hold (info, ls), whether all of it decodes (test), one file of one\n' +
        '(cat), several as one (merge), one as several (split), one without some of its files (rm).',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae archive info scans.vaez
  $ node-vae archive merge monday.vaez tuesday.vaez -o week.vaez
  $ node-vae archive cat week.vaez scans/0001.png > 0001.png`,
    );
  const inspect = (what: 'info' | 'test', summary: string) =>
    archive
      .command(what)
      .summary(summary)
      .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
      .argument('<file.vaez>', 'an archive')
      .option(
        '-m, --model <model>',
        'codec model, for test; not needed where the archive embeds it or the package has it',
      )
      .action((path: string, { model }: ArchiveFlags) =>
        run(async (signal) => {
          const { inspectArchive } = await import('../../index.js');
          const report = await inspectArchive(path, {
            ...{ decode: what === 'test', signal },
            ...(model !== undefined && { model }),
          });
          const faults = faultsOf(report);
          if (what === 'test' && faults.length > 0) {
            throw new CliError(
              'ERR_VAE_FORMAT',
              `${path}: ${faults.join(' ')} decompress --salvage unpacks what is whole.`,
            );
          }
          return told(path, report, faults, what === 'test');
        }),
      );
  inspect('info', 'read the names of what an archive holds, without its model');
  inspect('test', 'decode all of an archive and compare checksums, without writing anything');
  for (const register of ARCHIVE_COMMANDS) register(archive, run);
  return archive;
};

function faultsOf({ damaged, complete, headerLost, nextArchive, chunks }: ArchiveReport): string[] {
  return [
    ...(headerLost === undefined ? [] : ['Its beginning is damaged; the copy at its end is whole.']),
    ...(nextArchive === undefined ? [] : [`Another archive begins at byte ${nextArchive}.`]),
    ...(complete || nextArchive !== undefined ? [] : ['It has no end: it was cut off or never finished.']),
    ...(damaged.length === 0
      ? []
      : [
          `${damaged.length} of ${chunks} chunks are damaged: ${damaged
            .slice(0, 5)
            .map(({ reason }) => reason)
            .join('; ')}.`,
        ]),
  ];
}

function told(path: string, report: ArchiveReport, faults: readonly string[], tested: boolean): CommandResult {
  const { kind, model, embedsModel, bytes, items, chunks, files, untested } = report;
  const names = files.slice(0, MOST_NAMES).map(shown);
  return {
    data: { archive: path, ...report, tested },
    rows: [
      ['Archive', path],
      ['Kind', kind],
      ['Model', model === undefined ? 'none' : `${model.slice(0, 16)}…${embedsModel ? ', within the archive' : ''}`],
      ['Size', `${count(bytes)} bytes, ${count(chunks)} chunks`],
      ['Items', count(items)],
      ['Files', `${count(files.length)}: ${names.join(', ')}${files.length > MOST_NAMES ? ', …' : ''}`],
      ...(tested ? [['Tested', testedOf(report)] as const] : []),
      ...faults.map((fault) => ['Fault', fault] as const),
    ],
    partly: untested > 0,
  };
}

function testedOf({ chunks, untested }: ArchiveReport): string {
  if (untested === 0) return 'everything decodes';
  return `${count(chunks - untested)} of ${count(chunks)} chunks; the others need the model, give it with -m`;
}
