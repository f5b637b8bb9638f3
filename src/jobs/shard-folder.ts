/** A folder of this machine for what is done of a shard: the job's own, where nobody else works in it, else one for this time. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { takeLock } from '../archive/lock.js';
import { lockFile } from '../binding/file-lock.js';
import { SPOOL_FOLDER } from './layout.js';
import type { Place } from './places/place.js';

export interface ShardFolder {
  readonly path: string;
  /** @param keep what there is, for the next time. */
  release(keep: boolean): Promise<void>;
}

export async function shardFolder(place: Place, shard: number): Promise<ShardFolder> {
  const own = place.local === undefined ? undefined : await lockedFolder(join(place.local, SPOOL_FOLDER), shard);
  if (own !== undefined) return own;
  const path = await mkdtemp(join(tmpdir(), 'node-vae-shard-'));
  return { path, release: () => rm(path, { recursive: true, force: true }) };
}

/** Undefined where another process has it, or the file system has no locks. */
async function lockedFolder(root: string, shard: number): Promise<ShardFolder | undefined> {
  await mkdir(root, { recursive: true });
  const name = String(shard).padStart(6, '0');
  const lock = await takeLock(join(root, `${name}.lock`), lockFile, 'writing a shard').catch(() => undefined);
  if (lock === undefined) return undefined;
  if (!lock.locked) {
    await lock.release();
    return undefined;
  }
  const path = join(root, name);
  return {
    path,
    async release(keep) {
      if (!keep) await rm(path, { recursive: true, force: true });
      await lock.release();
    },
  };
}
