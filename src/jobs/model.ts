/** The model of a job: which files it is, from wherever, and the SHA-256 by which workers know it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CONFIG_FILE } from '../artifacts/model-files.js';
import { VaeError } from '../core/errors.js';
import { ioError, writeFilesAtomically } from '../core/files.js';
import { moreModels, shippedModelFolders } from '../core/shipped-models.js';
import { absolute, storageOf } from './places/index.js';
import { isS3 } from './places/s3.js';

/** Files of a model's folder that are no part of what it computes. */
const APART = new Set(['training', 'README.md', 'report.html', 'card.md', 'metrics.jsonl']);

/** A path, an s3:// URL or the name of a model of this package: the first two absolute, names as they are. */
export async function modelSource(source: string): Promise<string> {
  if (isS3(source)) return absolute(source);
  if ((await stat(source).catch(() => undefined)) !== undefined) return absolute(source);
  const shipped = await shippedModelFolders();
  if (shipped.has(source)) return source;
  throw new VaeError(
    'ERR_VAE_IO',
    `There is no model "${source}": no folder or file, and no model of this package (${[...shipped.keys()].join(', ')}).${moreModels()}`,
  );
}

/** Where the model lies on this machine; from S3 it is copied into a folder first, once. */
export async function localModel(source: string, sha256?: string, signal?: AbortSignal): Promise<string> {
  if (isS3(source)) return fetchModel(source, sha256, signal);
  if ((await stat(source).catch(() => undefined)) !== undefined) return source;
  return (await shippedModelFolders()).get(source) ?? source;
}

/**
 * SHA-256 of a model: of config.json where it has one of ours, which has the checksums of all other files; else of all
 * files, each with its name.
 */
export async function identifyModel(path: string): Promise<string> {
  const info = await stat(path).catch((error: unknown) => {
    throw ioError(error, `reading the model ${path}`);
  });
  if (info.isFile()) return hashFile(path);
  const config = await readFile(join(path, CONFIG_FILE), 'utf8').catch(() => undefined);
  if (config !== undefined && /"format"\s*:\s*"node-vae/.test(config)) {
    return createHash('sha256').update(config).digest('hex');
  }
  const hash = createHash('sha256');
  let any = false;
  for (const name of await filesBelow(path)) {
    hash.update(`${name}\0${await hashFile(join(path, name))}\n`);
    any = true;
  }
  if (any) return hash.digest('hex');
  throw new VaeError('ERR_VAE_IO', `"${path}" is no model: the folder is empty.`);
}

/** @throws VaeError ERR_VAE_REPRODUCIBILITY for a model of another identity than the job's. */
export async function checkModel(path: string, sha256: string): Promise<void> {
  const found = await identifyModel(path);
  if (found === sha256) return;
  throw new VaeError(
    'ERR_VAE_REPRODUCIBILITY',
    `The model at ${path} is not the job's: its SHA-256 is ${found}, the job's is ${sha256}. Put the job's model there, or begin the job anew with this one (--force).`,
  );
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (error) {
    throw ioError(error, `reading the model ${path}`);
  }
  return hash.digest('hex');
}

async function filesBelow(folder: string, within = ''): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(join(folder, within), { withFileTypes: true })) {
    if (entry.name.startsWith('.') || (within === '' && APART.has(entry.name))) continue;
    const name = within === '' ? entry.name : `${within}/${entry.name}`;
    const target = await stat(join(folder, name)).catch(() => undefined);
    if (target?.isDirectory()) names.push(...(await filesBelow(folder, name)));
    else if (target?.isFile()) names.push(name);
  }
  return names.sort();
}

/** A folder for each identity: a second job finds it there. */
async function fetchModel(url: string, sha256: string | undefined, signal: AbortSignal | undefined): Promise<string> {
  const root = join(process.env['XDG_CACHE_HOME'] || join(homedir() || tmpdir(), '.cache'), 'node-vae', 'models');
  if (sha256 !== undefined) {
    const known = join(root, sha256);
    if ((await stat(known).catch(() => undefined)) !== undefined) return onlyFileOf(known, url);
  }
  await mkdir(root, { recursive: true }).catch((error: unknown) => {
    throw ioError(error, `making ${root}`);
  });
  const fresh = await mkdtemp(join(root, '.fetch-'));
  try {
    const storage = storageOf(url);
    const found = await storage.stat(url);
    if (found === undefined) throw new VaeError('ERR_VAE_IO', `There is no model at ${url}.`);
    const files =
      found.file !== undefined
        ? [found.file]
        : await listed(storage.walk(url, { hidden: false, scratch: fresh, signal }));
    for (const { path, name } of files) {
      const target = join(fresh, name);
      if (!target.startsWith(`${fresh}/`))
        throw new VaeError('ERR_VAE_FORMAT', `${url}: has a file of the name "${name}".`);
      await mkdir(dirname(target), { recursive: true });
      const { bytes } = await storage.readWhole(path, signal);
      await writeFilesAtomically([{ path: target, chunks: [bytes] }]);
    }
    await checkWhole(fresh, url);
    const identity = await identifyModel(await onlyFileOf(fresh, url));
    const place = join(root, identity);
    await rename(fresh, place).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was quicker.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return await onlyFileOf(place, url);
  } catch (error) {
    throw ioError(error, `fetching the model ${url}`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/**
 * Holds what was fetched against the checksums in its config.json: half of a model that is just being uploaded would otherwise
 * be kept, and taken for the whole from then on.
 *
 * @throws VaeError ERR_VAE_FORMAT naming the file.
 */
async function checkWhole(folder: string, url: string): Promise<void> {
  // Codecs and graphs have no such file, and what opens them tells what is missing.
  const text = await readFile(join(folder, CONFIG_FILE), 'utf8').catch(() => undefined);
  const listed = listedFiles.safeParse(text && parsedJson(text)).data?.files ?? {};
  for (const [name, { sha256 }] of Object.entries(listed)) {
    const path = join(folder, name);
    const there = path.startsWith(`${folder}/`) && (await stat(path).catch(() => undefined));
    const found = there ? await hashFile(path) : undefined;
    if (found === sha256) continue;
    const said = found === undefined ? 'is missing' : `has the SHA-256 ${found}, and ${CONFIG_FILE} says ${sha256}`;
    throw new VaeError('ERR_VAE_FORMAT', `${url}/${name} ${said}. Copy the whole model there again.`);
  }
}

const listedFiles = z.object({ files: z.record(z.string(), z.object({ sha256: z.string() })) });

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function listed<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}

/** A model that is a single file lies alone in its folder. */
async function onlyFileOf(folder: string, url: string): Promise<string> {
  const name = url.slice(url.lastIndexOf('/') + 1);
  const names = await readdir(folder);
  return names.length === 1 && names[0] === name ? join(folder, name) : folder;
}
