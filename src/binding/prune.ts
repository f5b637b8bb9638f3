/** Removes what onnxruntime-node carries for other systems: nine tenths of what a server installs. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { type InputOf, parseOptions } from '../core/options.js';
import { packageFiles } from '../core/package-files.js';

const optionsSchema = z.strictObject({
  /** Systems to keep, as `linux-x64`, besides the one that runs. */
  keep: z.array(z.string()).default([]),
  /** Remove nothing, only say what would go. */
  dryRun: z.boolean().default(false),
});

export interface PruneOptions extends InputOf<typeof optionsSchema> {}

export interface PrunedLibraries {
  /** The package's folder. */
  readonly folder: string;
  /** Systems that are left, as `linux-x64`. */
  readonly kept: readonly string[];
  readonly removed: readonly { readonly system: string; readonly bytes: number }[];
}

/**
 * Removes from onnxruntime-node what it carries for other systems. Installing it again brings that back.
 *
 * @throws VaeError ERR_VAE_BINDING where onnxruntime-node is not installed; ERR_VAE_OPTION for a system that it has nothing
 *   for; ERR_VAE_IO where its folder cannot be written.
 */
export function pruneRuntime(options: PruneOptions = {}): PrunedLibraries {
  const { keep, dryRun } = parseOptions(optionsSchema, options, 'pruneRuntime()');
  const folder = runtimeFolder();
  const systems = systemsIn(join(folder, 'bin'));
  const here = `${process.platform}-${process.arch}`;
  const wanted = new Set([here, ...keep]);
  for (const system of wanted) {
    if (systems.some((found) => found.system === system)) continue;
    const known = systems.map((found) => found.system).join(', ');
    throw new VaeError('ERR_VAE_OPTION', `onnxruntime-node at ${folder} has nothing for ${system}; it has ${known}.`);
  }
  const removed = [];
  for (const { system, path } of systems) {
    if (wanted.has(system)) continue;
    removed.push({ system, bytes: sizeOf(path) });
    if (dryRun) continue;
    try {
      rmSync(path, { recursive: true });
    } catch (cause) {
      throw new VaeError('ERR_VAE_IO', `Failed removing ${path}: ${(cause as Error).message}.`, { cause });
    }
  }
  return { folder, kept: [...wanted].sort(), removed };
}

function runtimeFolder(): string {
  try {
    return dirname(packageFiles().findRuntime());
  } catch (cause) {
    throw new VaeError('ERR_VAE_BINDING', 'onnxruntime-node is not installed here: there is nothing to remove.', {
      cause,
    });
  }
}

/** bin/napi-v6/linux/x64 and its like. */
function systemsIn(bin: string): { system: string; path: string }[] {
  const folders = (path: string): string[] =>
    existsSync(path)
      ? readdirSync(path, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map((entry) => entry.name)
      : [];
  return folders(bin).flatMap((version) =>
    folders(join(bin, version)).flatMap((platform) =>
      folders(join(bin, version, platform)).map((arch) => ({
        system: `${platform}-${arch}`,
        path: join(bin, version, platform, arch),
      })),
    ),
  );
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0);
}
