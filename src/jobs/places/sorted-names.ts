/** Names of a folder in the order of their bytes, however many there are: what is too long for memory is sorted on disk. */
import { createReadStream } from 'node:fs';
import { mkdtemp, opendir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from '../../core/files.js';

/** Names that are held at once. */
const MOST_NAMES = 200_000;

export interface FolderEntry {
  /** Bytes of the name, a character for each (latin1). */
  readonly name: string;
  readonly isFolder: boolean;
  /** Neither file nor folder by its entry: a link, or a file system that does not say. */
  readonly isOther: boolean;
}

/** @param most of names held at once; smaller in tests. */
export async function* sortedEntries(
  folder: string | Buffer,
  scratch: string,
  most = MOST_NAMES,
): AsyncGenerator<FolderEntry> {
  const runs: string[] = [];
  let held: string[] = [];
  let own: string | undefined;
  try {
    // biome-ignore lint/suspicious/noExplicitAny: the types of Node know no Buffer here, which it takes
    const listing = await opendir(folder as any, { encoding: 'latin1' as BufferEncoding, bufferSize: 1024 });
    for await (const entry of listing) {
      const kind = entry.isFile() ? 'f' : entry.isDirectory() ? 'd' : 'o';
      held.push(`${entry.name}/${kind}`);
      if (held.length < most) continue;
      own ??= await mkdtemp(join(scratch, 'names-'));
      const run = join(own, String(runs.length));
      await writeFile(run, held.sort(byBytes).join('\0'), 'latin1');
      runs.push(run);
      held = [];
    }
  } catch (error) {
    if (own !== undefined) await rm(own, { recursive: true, force: true });
    throw ioError(error, `listing ${folder.toString()}`);
  }
  held.sort(byBytes);
  try {
    if (runs.length === 0) {
      for (const entry of held) yield entryOf(entry);
      return;
    }
    const streams = [...runs.map(namesIn), fromArray(held)];
    for await (const entry of merged(streams)) yield entryOf(entry);
  } finally {
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  }
}

/** A folder stands where `NAME/` would: so all paths below come in the order of their bytes. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function entryOf(text: string): FolderEntry {
  const kind = text.at(-1);
  return { name: text.slice(0, -2), isFolder: kind === 'd', isOther: kind === 'o' };
}

async function* fromArray(names: readonly string[]): AsyncGenerator<string> {
  yield* names;
}

/** Names hold no NUL; they may hold line ends. */
async function* namesIn(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 1 << 16 })) {
    const parts = (rest + chunk).split('\0');
    rest = parts.pop()!;
    yield* parts;
  }
  yield rest;
}

async function* merged(streams: readonly AsyncGenerator<string>[]): AsyncGenerator<string> {
  const heads = await Promise.all(streams.map((stream) => stream.next()));
  for (;;) {
    let least = -1;
    for (let at = 0; at < heads.length; at += 1) {
      if (heads[at]!.done) continue;
      if (least < 0 || byBytes(heads[at]!.value as string, heads[least]!.value as string) < 0) least = at;
    }
    if (least < 0) return;
    yield heads[least]!.value as string;
    heads[least] = await streams[least]!.next();
  }
}
