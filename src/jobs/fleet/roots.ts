/** Where a worker may read and write: what a queue names is not trusted. */
import { realpath } from 'node:fs/promises';
import { dirname, isAbsolute, resolve, sep } from 'node:path';
import { VaeError } from '../../core/errors.js';
import type { Job } from '../job.js';

const S3 = /^s3:\/\//;

/** Folders and s3:// prefixes, with all below them. */
export class Roots {
  readonly #folders: readonly string[];
  readonly #prefixes: readonly string[];
  readonly #known = new Map<string, string>();

  private constructor(folders: readonly string[], prefixes: readonly string[]) {
    this.#folders = folders;
    this.#prefixes = prefixes;
  }

  /** @throws VaeError ERR_VAE_IO for a folder that is not there. */
  static async of(given: readonly string[]): Promise<Roots> {
    const folders: string[] = [];
    const prefixes: string[] = [];
    for (const root of given) {
      if (S3.test(root)) prefixes.push(root.replace(/\/*$/, '/'));
      else {
        folders.push(
          await realpath(root).catch((cause: unknown) => {
            throw new VaeError('ERR_VAE_IO', `${root}: there is no such folder for the worker to work in.`, { cause });
          }),
        );
      }
    }
    return new Roots(folders, prefixes);
  }

  /** @throws VaeError ERR_VAE_OPTION naming the first path of a job that lies elsewhere. */
  async check(job: Job): Promise<void> {
    for (const { path } of job.inputs) await this.allow(path);
    await this.allow(job.output);
    const source = job.model?.source;
    // Models of the package are called by a name.
    if (source !== undefined && !/^[\w-]+$/.test(source)) await this.allow(source);
  }

  /** @throws VaeError ERR_VAE_OPTION for a path that lies elsewhere, through links too. */
  async allow(path: string): Promise<void> {
    if (S3.test(path)) {
      const clean = !path.split('/').includes('..');
      if (clean && this.#prefixes.some((prefix) => `${path}/`.startsWith(prefix))) return;
      throw elsewhere(path);
    }
    if (!isAbsolute(path)) throw elsewhere(path);
    const fixed = resolve(path.replace(/[*?[\]{}].*$/s, ''));
    const real = await this.#realOf(fixed);
    if (
      this.#folders.some((folder) => real === folder || real.startsWith(folder.endsWith(sep) ? folder : folder + sep))
    )
      return;
    throw elsewhere(path);
  }

  /** The path without links, as far as it exists. */
  async #realOf(path: string): Promise<string> {
    const above = dirname(path);
    const known = this.#known.get(above);
    const found = await realpath(path).catch(() => undefined);
    if (found !== undefined) return found;
    if (above === path) return path;
    const real = known ?? (await this.#realOf(above));
    if (this.#known.size > 10_000) this.#known.clear();
    return real + path.slice(above.endsWith(sep) ? above.length - 1 : above.length);
  }
}

function elsewhere(path: string): VaeError {
  return new VaeError(
    'ERR_VAE_OPTION',
    `${path} is not below what this worker may use. Let it, if the queue is to be trusted with that (roots, --root).`,
  );
}
