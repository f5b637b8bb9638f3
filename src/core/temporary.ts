/** Names of files that stand beside a file until it is complete. */
import { createHash } from 'node:crypto';

/** File systems take names of 255 bytes, some of 143: beyond this a name's hash stands for its rest. */
const MOST_NAME_BYTES = 100;

/**
 * `.NAME.SUFFIX`, however long the name is: of one beyond 100 bytes the first 40 characters and a hash. The same name
 * every time, so that a job finds what an earlier one left.
 */
export function besideName(name: string, suffix: string): string {
  if (Buffer.byteLength(name) <= MOST_NAME_BYTES) return `.${name}.${suffix}`;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
  const start = Array.from(name)
    .slice(0, 20)
    .join('')
    .replace(/[\ud800-\udfff]/g, '_');
  return `.${start}~${hash}.${suffix}`;
}
