/** `archive ls`, `cat`, `merge`, `split` and `rm`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ArchivedFile, EditedArchive, EditProgress } from '../../index.js';
import {
  addMemoryOption,
  addProgressOption,
  type MemoryFlags,
  memoryOptions,
  type ProgressFlags,
  shown,
} from '../archive-options.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { count, note, writeBytes } from '../output.js';
import { wholeNumber } from '../parse.js';
import { RowProgress } from '../progress.js';

interface EditFlags extends ProgressFlags, MemoryFlags {
  readonly model?: string;
  readonly force?: boolean;
  readonly verify: boolean;
  readonly threads?: number;
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

function addModelOption(command: Command): Command {
  return command.option(
    '-m, --model <model>',
    'codec model; not needed where the archive embeds it or the package has it',
  );
}

function addEditOptions(command: Command): Command {
  return addMemoryOption(addProgressOption(addModelOption(command)))
    .option('--force', 'replace a file that is there')
    .option('--no-verify', 'read the names of the result only, instead of decoding all of it: needs no model')
    .option('--threads <n>', 'chunks at once (one per processor)', wholeNumber(1));
}

/** Options as the library takes them, and progress, which ends with `close()`. */
function editing(flags: EditFlags, what: string, signal: AbortSignal) {
  let progress: RowProgress | undefined;
  const options = {
    ...memoryOptions(flags),
    ...(flags.model !== undefined && { model: flags.model }),
    ...(flags.force && { force: true }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...{ verify: flags.verify, signal },
    onProgress: ({ chunks, totalChunks }: EditProgress) => {
      progress ??= new RowProgress(what, totalChunks, 1, flags.progress);
      progress.update(chunks);
    },
  };
  return { options, close: () => progress?.close() };
}

/** What became of the chunks. */
function chunkRows({ copiedChunks, renamedChunks, cutChunks, resumedChunks, verified, notes }: EditedArchive) {
  for (const each of notes) note(`note: ${each}`);
  const left = cutChunks.map(({ chunk, items, keptItems }) => `chunk ${chunk}: ${keptItems} of ${items} items`);
  return [
    ['Chunks', `${count(copiedChunks)} as they were`],
    ...(renamedChunks.length > 0 ? [['Renamed', `names in ${count(renamedChunks.length)} chunks`]] : []),
    ...(cutChunks.length > 0
      ? [['Coded again', `${left.slice(0, 5).join(', ')}${left.length > 5 ? `, and ${left.length - 5} more` : ''}`]]
      : []),
    ...(resumedChunks > 0 ? [['Resumed', `${count(resumedChunks)} chunks were there`]] : []),
    ['Verified', verified ? 'all of it decodes' : 'names only'],
  ] as [string, string][];
}

const registerLs: RegisterCommand = (program, run) =>
  program
    .command('ls')
    .summary('list the files of an archive: sizes, coder, name')
    .description('Lists the files of an archive. Nothing is decoded, and no model is needed.')
    .argument('<file.vaez>', 'an archive')
    .action((path: string) =>
      run(async () => {
        const { listArchive } = await import('../../index.js');
        const files = await listArchive(path);
        return { data: { archive: path, files }, rows: listed(files) };
      }),
    );

function listed(files: readonly ArchivedFile[]): [string, string][] {
  const sizeOf = ({ bytes }: ArchivedFile): string => (bytes === undefined ? '?' : count(bytes));
  const wide = Math.max(5, ...files.map((file) => sizeOf(file).length));
  const stored = Math.max(6, ...files.map(({ storedBytes }) => count(storedBytes).length));
  return [
    ['Bytes'.padStart(wide), `${'Stored'.padStart(stored)}  Coder   Name`],
    ...files.map((file): [string, string] => {
      const coder = file.coders.join('+').padEnd(6);
      const same = file.sameAs === undefined ? '' : ` = ${shown(file.sameAs)}`;
      return [
        sizeOf(file).padStart(wide),
        `${count(file.storedBytes).padStart(stored)}  ${coder}  ${shown(file.name)}${same}`,
      ];
    }),
  ];
}

const registerCat: RegisterCommand = (program, run) =>
  addModelOption(program.command('cat'))
    .summary('write one file of an archive to standard output')
    .description('Writes one file as decompress would, or one item by its number. Only its own chunks are decoded.')
    .argument('<file.vaez>', 'an archive')
    .argument('[name]', 'a file of it; see ls')
    .option('--item <n>', 'an item by its number, from 0: a picture, or the bytes of a row of an array', wholeNumber(0))
    .action((path: string, name: string | undefined, { model, item }: { model?: string; item?: number }) =>
      run(async (signal) => {
        if ((name === undefined) === (item === undefined)) {
          throw new CliError('ERR_VAE_OPTION', 'Name a file of the archive, or an item (--item), and not both.');
        }
        const { readArchived } = await import('../../index.js');
        let bytes = 0;
        for await (const piece of readArchived(path, name ?? item!, {
          signal,
          ...(model !== undefined && { model }),
        })) {
          await writeBytes(piece);
          bytes += piece.length;
        }
        return { data: { archive: path, name: name ?? item!, bytes }, rows: [], onStderr: true };
      }),
    );

const registerMerge: RegisterCommand = (program, run) =>
  addEditOptions(program.command('merge'))
    .summary('join archives without coding what they hold again')
    .description(
      'Joins archives of one kind and one model. Rows of arrays follow one another. Nothing is coded again; what the new\n' +
        'archive holds is decoded once, to know that it can be, unless --no-verify is given.',
    )
    .argument('<files.vaez...>', 'archives')
    .requiredOption('-o, --out <file.vaez>', 'the archive of all')
    .addOption(
      new Option(
        '--clash <what>',
        'names that several have: refuse (the default), or put every file in a folder called like its archive',
      ).choices(['refuse', 'folder']),
    )
    .action((paths: string[], flags: EditFlags & { out: string; clash?: 'refuse' | 'folder' }) =>
      run(async (signal) => {
        const { mergeArchives } = await import('../../index.js');
        const { options, close } = editing(flags, 'merging', signal);
        try {
          const clash = flags.clash === undefined ? {} : { clash: flags.clash };
          const result = await mergeArchives(paths, { ...options, ...clash, output: flags.out });
          close();
          return {
            data: { ...result },
            rows: [
              ['Merged', `${count(result.archives)} archives into ${flags.out}`],
              ['Files', count(result.files)],
              ['Items', count(result.items)],
              ['Size', `${count(result.bytesOut)} bytes`],
              ...chunkRows(result),
            ],
          };
        } finally {
          close();
        }
      }),
    );

interface SplitFlags extends EditFlags {
  readonly out: string;
  readonly count?: number;
  readonly bytes?: number;
  readonly names?: string[];
}

const registerSplit: RegisterCommand = (program, run) =>
  addEditOptions(program.command('split'))
    .summary('take an archive apart into several')
    .description('Takes an archive apart by number of files, by bytes, or by names. The archive itself stays.')
    .argument('<file.vaez>', 'an archive')
    .requiredOption('-o, --out <folder>', 'where NAME-0001.vaez and the others go; made where missing')
    .option('--count <n>', 'files of each; of an array, items', wholeNumber(1))
    .option('--bytes <n>', 'bytes of each at the most, where one chunk is no more', wholeNumber(1))
    .option('--names <pattern>', 'an archive for these (* ? [ ] { }); may be repeated; the rest is a last one', collect)
    .action((path: string, flags: SplitFlags) =>
      run(async (signal) => {
        const { splitArchive } = await import('../../index.js');
        const { options, close } = editing(flags, 'splitting', signal);
        try {
          const { out, count: files, bytes, names } = flags;
          const result = await splitArchive(path, {
            ...{ ...options, output: out },
            ...(files !== undefined && { count: files }),
            ...(bytes !== undefined && { bytes }),
            ...(names !== undefined && { names }),
          });
          close();
          const again = result.archives.reduce((sum, { cutChunks }) => sum + cutChunks.length, 0);
          for (const { notes } of result.archives) for (const each of notes) note(`note: ${each}`);
          return {
            data: { archive: path, ...result },
            rows: [
              ['Split', `${path} into ${count(result.archives.length + result.there)} archives in ${out}`],
              ...(result.there > 0 ? [['There before', count(result.there)] as const] : []),
              ...(again > 0 ? [['Coded again', `parts of chunks, ${count(again)} times`] as const] : []),
              ...result.archives.map(
                (each) => [each.path, `${count(each.files)} files, ${count(each.bytesOut)} bytes`] as const,
              ),
            ],
          };
        } finally {
          close();
        }
      }),
    );

const registerRm: RegisterCommand = (program, run) =>
  addEditOptions(program.command('rm'))
    .summary('make an archive without some of its files')
    .description(
      'Leaves files out: names, folders with all below them, or patterns. Chunks that nothing is taken from stay as they\n' +
        'are; what is left of the others is coded again. The new archive takes the place of the old one once it is complete.',
    )
    .argument('<file.vaez>', 'an archive')
    .argument('[names...]', 'what is left out')
    .option('--items <ranges>', 'items by their numbers from 0, such as 3,10-19: rows of an array, pictures', ranges)
    .option('-o, --out <file.vaez>', 'write another archive, and leave this one')
    .action((path: string, names: string[], flags: EditFlags & { out?: string; items?: [number, number][] }) =>
      run(async (signal) => {
        const { removeFromArchive } = await import('../../index.js');
        const { options, close } = editing(flags, 'writing', signal);
        try {
          const { out, items } = flags;
          const result = await removeFromArchive(path, {
            ...{ ...options, names },
            ...(out !== undefined && { output: out }),
            ...(items !== undefined && { items }),
          });
          close();
          const { removed, removedItems, bytesIn, bytesOut } = result;
          return {
            data: { ...result },
            rows: [
              ['Archive', result.path],
              ['Left out', `${count(removed.length)} files, ${count(removedItems)} items`],
              ['Size', `${count(bytesOut)} bytes, ${count(bytesIn)} before`],
              ...chunkRows(result),
            ],
          };
        } finally {
          close();
        }
      }),
    );

function ranges(text: string): [number, number][] {
  return text.split(',').map((part) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? [];
    if (first === undefined || last === undefined || Number(last) < Number(first))
      throw new InvalidArgumentError('Expected numbers and ranges, such as 3,10-19.');
    return [Number(first), Number(last)];
  });
}

export const ARCHIVE_COMMANDS: readonly RegisterCommand[] = [
  registerLs,
  registerCat,
  registerMerge,
  registerSplit,
  registerRm,
];
