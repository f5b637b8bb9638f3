import { InvalidArgumentError } from 'commander';
import type { ArchiveReport } from '../../index.js';
import { shown } from '../archive-options.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { count } from '../output.js';
import type { CommandResult } from '../result.js';

const WHAT = ['info', 'test'] as const;
const MOST_NAMES = 10;

interface ArchiveFlags {
  readonly model?: string;
}

export const registerArchive: RegisterCommand = (program, run) =>
  program
    .command('archive')
    .summary('say what an archive holds, or test that all of it decodes')
    .description(
      'info reads the names of what an archive holds, without its model; test decodes all of it and compares checksums, without writing anything.',
    )
    .argument('<what>', 'info or test', (text: string) => {
      if (!WHAT.includes(text as (typeof WHAT)[number])) throw new InvalidArgumentError('Expected info or test.');
      return text;
    })
    .argument('<file.vaez>', 'an archive')
    .option(
      '-m, --model <model>',
      'codec model, for test; not needed where the archive embeds it or the package has it',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae archive info scans.vaez
  $ node-vae archive test scans.vaez -m my-codec`,
    )
    .action((what: string, path: string, { model }: ArchiveFlags) =>
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
