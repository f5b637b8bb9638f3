/** Packs the package from what is built here and installs it into empty projects, as strangers do. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, type Finished } from './execute.js';

export const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

export interface Packed {
  readonly tarball: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

export interface PackOptions {
  /** The addon of this machine (`current`), or everything that lies in prebuilds/ (`all`). Default `current`. */
  readonly prebuilds?: 'current' | 'all';
}

/** Packs the workspace package of this name, which is built already. */
export async function packWorkspace(name: string, folder: string): Promise<string> {
  const at = join(PACKAGE_ROOT, 'packages', name);
  const pack = await succeed(
    execute(npm, ['pack', '--json', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: at }),
  );
  const [{ filename }] = JSON.parse(pack.stdout) as [{ filename: string }];
  return join(folder, filename);
}

/** Packs into a folder, from a copy, so that nothing of the working tree changes. */
export async function packInto(folder: string, options: PackOptions = {}): Promise<Packed> {
  const stage = join(folder, 'stage');
  await mkdir(stage, { recursive: true });
  const { files } = JSON.parse(await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { files: string[] };
  const folders = files.filter((name) => !name.startsWith('!') && name !== 'prebuilds');
  for (const name of ['package.json', 'README.md', 'LICENSE', ...folders]) {
    await cp(join(PACKAGE_ROOT, name), join(stage, name), { recursive: true });
  }
  if (options.prebuilds === 'all') {
    await cp(join(PACKAGE_ROOT, 'prebuilds'), join(stage, 'prebuilds'), { recursive: true });
  } else {
    const prebuilds = join(stage, 'prebuilds', `${process.platform}-${process.arch}`);
    await mkdir(prebuilds, { recursive: true });
    const addon = join(prebuilds, 'node-vae.node');
    await cp(join(PACKAGE_ROOT, 'build', 'Release', 'node-vae.node'), addon);
    // As prebuildify does with what is shipped.
    if (process.platform === 'linux') await succeed(execute('strip', ['--strip-all', addon], { cwd: stage }));
  }
  const pack = await succeed(execute(npm, ['pack', '--json', '--ignore-scripts', '--silent'], { cwd: stage }));
  const [description] = JSON.parse(pack.stdout) as [{ filename: string; files: { path: string; size: number }[] }];
  return { tarball: join(stage, description.filename), files: description.files };
}

/** An empty project with these packages, installed without running any script. */
export async function projectWith(
  project: string,
  packages: readonly string[],
  flags: readonly string[] = [],
): Promise<void> {
  await mkdir(project, { recursive: true });
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true }\n');
  const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', ...flags, ...packages];
  await succeed(execute(npm, install, { cwd: project, env: { ONNXRUNTIME_NODE_INSTALL: 'skip' } }));
}

/** What a run printed, where it ended well; else an error with all it said. */
export async function succeed(run: Promise<Finished>): Promise<Finished> {
  const finished = await run;
  if (finished.code === 0) return finished;
  throw new Error(
    `ended with ${finished.code ?? finished.signal}, expected 0:\n${finished.stderr.slice(-6000)}${finished.stdout.slice(-6000)}`,
  );
}
