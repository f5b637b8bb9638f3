/** Many small files in one piece of native work: one by one, each costs Node four turns of its thread pool. */
import { loadAddon } from './index.js';

/** What was found of an ordinary file. */
export interface FoundSmallFile {
  readonly size: number;
  /** When it was changed: nanoseconds since 1970. */
  readonly changed: bigint;
  /** What it holds; undefined where that was not asked for, or is more than was asked for. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * @param most bytes of a file that is read; 0: files are only looked at.
 * @returns undefined for each that is no ordinary file or could not be read, and for all of them where the system has no
 *   such call: the file functions of Node tell what is wrong.
 */
export async function readSmallFiles(
  paths: readonly (string | Buffer)[],
  most: number,
): Promise<readonly (FoundSmallFile | undefined)[]> {
  const { readFiles } = loadAddon();
  const texts = paths.map((path) => (typeof path === 'string' ? Buffer.from(path) : path));
  // Where paths would end too early, each is refused by Node's own functions.
  if (readFiles === undefined || texts.some((path) => path.includes(0))) return paths.map(() => undefined);
  const { sizes, lengths, changed, bytes } = await readFiles(
    Buffer.concat(texts.flatMap((path) => [path, Buffer.of(0)])),
    most,
  );
  let at = 0;
  return paths.map((_, index) => {
    const [size, length] = [sizes[index]!, lengths[index]!];
    const begin = at;
    if (length > 0) at += length;
    if (size < 0 || (most > 0 && size <= most && length < 0)) return undefined;
    return { size, changed: changed[index]!, bytes: length < 0 ? undefined : bytes.subarray(begin, begin + length) };
  });
}
