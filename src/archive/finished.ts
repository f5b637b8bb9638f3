/** An archive that is there already, where a job would have written it: compared with what goes in, and left as it is. */
import { open, rm, stat } from 'node:fs/promises';
import { ioError, targetOf } from '../core/files.js';
import { type ByteSource, handleSource, memorySource } from './bytes.js';
import { existing } from './existing.js';
import { journalAt } from './journal.js';
import { type ArchiveOutput, journalOf, partialOf } from './output-file.js';
import { isSameFile } from './publish.js';

/** @param expand what a compact archive stands for. */
export async function finishedOutput(
  path: string,
  expand: (archive: ByteSource) => Promise<Uint8Array | undefined>,
): Promise<ArchiveOutput> {
  const output = await targetOf(path);
  await dropRests(output);
  const handle = await open(output, 'r').catch((error: unknown) => {
    throw ioError(error, `opening ${path}`);
  });
  const close = () => handle.close();
  try {
    const bytes = (await handle.stat()).size;
    const file: ByteSource = { ...handleSource(handle, bytes, path), close: async () => {} };
    // Some other file is said to be there, as it would be said of any.
    const expanded = bytes === 0 ? undefined : await expand(file).catch(() => undefined);
    const source = expanded === undefined ? file : memorySource(expanded);
    const refuse = async (): Promise<never> => {
      throw existing(path);
    };
    return {
      ...{ source, base: 0, finished: { bytes }, locked: true, place: path, isStream: false },
      ...{ cutAt: refuse, write: refuse, replace: refuse, written: () => source, setAside: async () => undefined },
      async commit() {
        await close();
        return undefined;
      },
      abandon: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a job left that was killed as it gave the archive its name. */
async function dropRests(output: string): Promise<void> {
  const partial = partialOf(output);
  if (await isSameFile(partial, output)) await rm(partial, { force: true });
  if ((await stat(partial).catch(() => undefined)) === undefined) await journalAt(journalOf(output)).drop();
}
