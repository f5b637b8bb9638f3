/** How many threads work may be spread over: what the system lets this process have, not what the machine has. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { threadsVariable } from './environment.js';

/**
 * The number that native work must keep to: NODE_VAE_THREADS, else the processors of a cgroup's quota or of this
 * process's affinity. Undefined where the whole machine may be used.
 */
export function threadLimit(): number | undefined {
  const asked = threadsVariable();
  if (asked !== undefined) return asked;
  const quota = process.platform === 'linux' ? quotaProcessors('/') : undefined;
  const allowed = availableParallelism();
  if (quota !== undefined) return Math.min(quota, allowed);
  return allowed < cpus().length ? allowed : undefined;
}

/** threadLimit(), or all processors. */
export function availableThreads(): number {
  return threadLimit() ?? availableParallelism();
}

/**
 * Processors that the CPU quota of this process's cgroup comes to, rounded up; undefined where it has none. The least
 * of its own and of those around it, of version 2 (`cpu.max`) or 1 (`cpu.cfs_quota_us`).
 *
 * @param root `/`, or for tests a folder that stands for it.
 */
export function quotaProcessors(root: string): number | undefined {
  const found: number[] = [];
  for (const line of (read(join(root, 'proc/self/cgroup')) ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const version2 = controllers === '';
    if (!version2 && !controllers.split(',').includes('cpu')) continue;
    const mounts = version2
      ? ['sys/fs/cgroup', 'sys/fs/cgroup/unified']
      : [`sys/fs/cgroup/${controllers}`, 'sys/fs/cgroup/cpu'];
    // In a container the path is often that of the host, and the container's own group is the mount itself.
    for (const mount of mounts) {
      for (const folder of withParents(path)) {
        const quota = (version2 ? quotaOf2 : quotaOf1)(join(root, mount, folder));
        if (quota !== undefined) found.push(quota);
      }
    }
  }
  return found.length === 0 ? undefined : Math.max(1, Math.ceil(Math.min(...found)));
}

function withParents(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  return [...parts.map((_, index) => parts.slice(0, parts.length - index).join('/')), ''];
}

function quotaOf2(folder: string): number | undefined {
  const [quota, period] = (read(join(folder, 'cpu.max')) ?? '').trim().split(/\s+/).map(Number);
  return share(quota, period);
}

function quotaOf1(folder: string): number | undefined {
  return share(Number(read(join(folder, 'cpu.cfs_quota_us'))), Number(read(join(folder, 'cpu.cfs_period_us'))));
}

/** Undefined where there is no quota: `max` in version 2, −1 in version 1. */
function share(quota: number | undefined, period: number | undefined): number | undefined {
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : undefined;
}

/** Undefined where there is none, or where this process may not look. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
