/** One job after another over generated folders: whatever happens, what went in is out, or is named. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compress, decompress } from '../../src/codecs/index.js';
import type { Codec } from '../../src/codecs/lossless/codec.js';
import { isSame, type Made, makeTree, type Random, randomOf, read } from './trees.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Models {
  readonly png: Codec;
  readonly wav: Codec;
  /** Files of the same models, for jobs in processes of their own. */
  readonly paths: { readonly png: string; readonly wav: string };
}

class Difference extends Error {}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Difference(what);
}

/** What a round does beside compressing and unpacking. */
const KINDS = ['plain', 'plain', 'plain', 'aborted', 'damaged', 'appended', 'killed', 'two', 'full'] as const;
export type RoundKind = (typeof KINDS)[number];

/** @returns what kind of round it was. @throws an error with the seed where anything was lost in silence. */
export async function round(seed: number, folder: string, models: Models, processes: boolean): Promise<RoundKind> {
  const random = randomOf(seed);
  const all = processes ? KINDS : KINDS.filter((kind) => !['killed', 'two', 'full'].includes(kind));
  const kind = all[Math.floor(random() * all.length)]!;
  const work = join(folder, `round-${seed}`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    await ROUNDS[kind]({ random, work, models, what: random() < 0.5 ? 'png' : 'wav' });
  } catch (error) {
    throw new Error(`seed ${seed} (${kind}): ${(error as Error).message}`, { cause: error });
  }
  await rm(work, { recursive: true, force: true });
  return kind;
}

interface Round {
  readonly random: Random;
  readonly work: string;
  readonly models: Models;
  readonly what: 'png' | 'wav';
}

/** Compares a folder that came out with what went in; all that is missing must be named. */
async function compare(made: Made, out: string, named: readonly string[]): Promise<void> {
  const got = await read(out);
  const left = new Set(named);
  for (const [name, was] of made.files) {
    const is = got.get(name);
    demand(is !== undefined || left.has(name), `${JSON.stringify(name)} is gone and not named`);
    if (is !== undefined) demand(await isSame(name, was, is), `${JSON.stringify(name)} came out otherwise`);
  }
  for (const name of made.empty) {
    const found = await stat(join(out, name)).catch(() => undefined);
    demand(found?.isDirectory() === true, `the empty folder ${JSON.stringify(name)} is gone`);
  }
  for (const name of got.keys()) demand(made.files.has(name), `${JSON.stringify(name)} came from nowhere`);
  for (const name of made.odd) demand(left.has(name), `${JSON.stringify(name)} was left out and not named`);
}

/** Whether there is nothing that the model is for: then a job says so. */
async function tree({ random, work, what }: Round): Promise<Made> {
  return makeTree(join(work, 'in'), random, what);
}

async function pack(at: Round, options: Record<string, unknown> = {}) {
  const { models, what, work } = at;
  return compress(join(work, 'in'), { model: models[what], output: join(work, 'x.vaez'), threads: 2, ...options });
}

const nothingToCode = (error: unknown): boolean =>
  ['ERR_VAE_DATA', 'ERR_VAE_FORMAT', 'ERR_VAE_SHAPE'].includes((error as { code?: string }).code ?? '');

async function checked(at: Round, made: Made, named: readonly string[]): Promise<void> {
  const { models, what, work } = at;
  const out = join(work, 'out');
  await decompress(join(work, 'x.vaez'), { model: models[what], output: out });
  await compare(made, out, named);
  const rest = (await readdir(work)).filter((name) => name.startsWith('.x.vaez'));
  demand(rest.length === 0, `left behind: ${rest.join()}`);
  demand(!(await readdir(out, { recursive: true })).some((name) => name.endsWith('.partial')), 'partial files stayed');
}

const ROUNDS: Record<RoundKind, (at: Round) => Promise<void>> = {
  async plain(at) {
    const made = await tree(at);
    const result = await pack(at).catch((error: unknown) => {
      if (nothingToCode(error)) return undefined;
      throw error;
    });
    if (result === undefined) return;
    const named = result.leftOut.map(({ name }) => name);
    await checked(at, made, named);
    // Once more: it is all there, and stays as it is.
    const before = await readFile(join(at.work, 'x.vaez'));
    const again = await pack(at);
    demand(!result.already && again.already, 'a finished job was not told to be one');
    demand(String(again.leftOut.map(({ name }) => name)) === String(named), 'it leaves out other files than before');
    demand((await readFile(join(at.work, 'x.vaez'))).equals(before), 'a finished archive was changed');
    const [other] = made.files.keys();
    if (other === undefined || named.includes(other)) return;
    await rm(join(at.work, 'in', other), { force: true });
    const refused = await pack(at).then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
    demand(refused !== 'done', 'a file less, and the archive was called the same');
  },

  async aborted(at) {
    const made = await tree(at);
    const stop = new AbortController();
    const after = Math.floor(at.random() * 8);
    let seen = 0;
    const options = { threads: 1, signal: stop.signal, onProgress: () => void (++seen > after && stop.abort()) };
    await pack(at, options).catch(() => {});
    const result = await pack(at, { force: true }).catch((error: unknown) => {
      if (nothingToCode(error)) return undefined;
      throw error;
    });
    if (result !== undefined)
      await checked(
        at,
        made,
        result.leftOut.map(({ name }) => name),
      );
  },

  async damaged(at) {
    const made = await tree(at);
    const result = await pack(at).catch((error: unknown) => {
      if (nothingToCode(error)) return undefined;
      throw error;
    });
    if (result === undefined) return;
    const path = join(at.work, 'x.vaez');
    const bytes = await readFile(path);
    for (let flips = 1 + Math.floor(at.random() * 3); flips > 0; flips -= 1) {
      bytes[Math.floor(at.random() * bytes.length)]! ^= 1 << Math.floor(8 * at.random());
    }
    const cut = at.random() < 0.3 ? bytes.subarray(0, Math.floor(at.random() * bytes.length)) : bytes;
    await writeFile(path, cut);
    const out = join(at.work, 'out');
    const unpacked = await decompress(path, { model: at.models[at.what], output: out, salvage: true }).catch(
      () => undefined,
    );
    if (unpacked === undefined) return;
    const got = await read(out);
    let missing = made.files.size - result.leftOut.length > got.size;
    for (const [name, is] of got) {
      const was = made.files.get(name);
      demand(was !== undefined, `${JSON.stringify(name)} came from nowhere`);
      // A file with a lost part has zeros there, and the chunk is named.
      if (!(await isSame(name, was!, is).catch(() => false))) missing = true;
    }
    const told = unpacked.damaged.length > 0 || !unpacked.complete || unpacked.notes.length > 0;
    demand(!missing || told, 'something is lost, and nothing was said');
  },

  async appended(at) {
    const made = await tree(at);
    const result = await pack(at).catch((error: unknown) => {
      if (nothingToCode(error)) return undefined;
      throw error;
    });
    if (result === undefined) return;
    const before = await readFile(join(at.work, 'x.vaez'));
    // The same names once more are refused, and nothing is changed.
    const again = await pack(at, { append: true }).then(
      () => 'added',
      (error: { code: string }) => error.code,
    );
    demand(again === 'ERR_VAE_DATA', `the same names were ${again}`);
    demand((await readFile(join(at.work, 'x.vaez'))).equals(before), 'a refused append changed the archive');
    const more = await makeTree(join(at.work, 'more', 'added'), at.random, at.what, join(at.work, 'added-outside'));
    const second = await compress(join(at.work, 'more'), {
      ...{ model: at.models[at.what], output: join(at.work, 'x.vaez'), append: true },
    }).catch((error: unknown) => {
      if (nothingToCode(error)) return undefined;
      throw error;
    });
    const prefix = (names: Iterable<string>) => [...names].map((name) => `added/${name}`);
    const files = new Map(made.files);
    const odd = new Set(made.odd);
    if (second !== undefined) {
      for (const [name, content] of more.files) files.set(`added/${name}`, content);
      for (const name of prefix(more.odd)) odd.add(name);
    }
    const named = [...result.leftOut, ...(second?.leftOut ?? [])].map(({ name }) => name);
    const empty = [...made.empty, ...(second === undefined ? [] : prefix(more.empty))];
    await checked(at, { files, odd, empty }, named);
  },

  /** Killed at a random moment, and the same command again; likewise unpacking. */
  async killed(at) {
    const made = await tree(at);
    const { random, work } = at;
    await runCli(at, ['compress', 'in', '-m', modelOf(at), '-o', 'x.vaez'], 200 + 1500 * random());
    const { code, stdout } = await runCli(at, [
      'compress',
      'in',
      '-m',
      modelOf(at),
      '-o',
      'x.vaez',
      '--force',
      '--json',
    ]);
    if (code === 1) return;
    demand(code === 0 || code === 3, `compress ended with ${code}`);
    const { leftOut } = JSON.parse(stdout) as { leftOut: { name: string }[] };
    demand((code === 3) === leftOut.length > 0, `exit code ${code} with ${leftOut.length} left out`);
    await runCli(at, ['decompress', 'x.vaez', '-m', modelOf(at), '-o', 'out'], 200 + 1000 * random());
    await checked(
      at,
      made,
      leftOut.map(({ name }) => name),
    );
    demand(!(await readdir(join(work, 'out'))).some((name) => name.endsWith('.lock')), 'a lock stayed');
  },

  /** Two jobs write one archive: one of them is refused, or each did all of it. */
  async two(at) {
    const made = await tree(at);
    const args = ['compress', 'in', '-m', modelOf(at), '-o', 'x.vaez', '--json'];
    const both = await Promise.all([runCli(at, args), runCli(at, args)]);
    const done = both.filter(({ code }) => code === 0 || code === 3);
    if (done.length === 0) {
      demand(
        both.every(({ code }) => code === 1),
        'jobs ended otherwise',
      );
      return;
    }
    const results = done.map(({ stdout }) => JSON.parse(stdout) as { already: boolean; leftOut: { name: string }[] });
    // One that begins when the other has ended finds that all is there.
    demand(results.filter(({ already }) => !already).length === 1, 'two jobs wrote one archive');
    for (const { leftOut } of results) {
      await checked(
        at,
        made,
        leftOut.map(({ name }) => name),
      );
      await rm(join(at.work, 'out'), { recursive: true, force: true });
    }
  },

  /** Files may have so many bytes and no more, as on a full disk; then there is room again. */
  async full(at) {
    const made = await tree(at);
    const blocks = 1 + Math.floor(60 * at.random());
    const args = ['compress', 'in', '-m', modelOf(at), '-o', 'x.vaez', '--json'];
    const short = await runCli(at, args, undefined, blocks);
    if (short.code !== 0 && short.code !== 3) {
      demand(short.code === 1, `a full disk ended with ${short.code}`);
      demand(!(await readdir(at.work)).includes('x.vaez'), 'an archive appeared on a full disk');
    }
    const { code, stdout } = short.code === 1 ? await runCli(at, args) : short;
    if (code === 1) return;
    const { leftOut } = JSON.parse(stdout) as { leftOut: { name: string }[] };
    await checked(
      at,
      made,
      leftOut.map(({ name }) => name),
    );
  },
};

function modelOf({ models, what }: Round): string {
  return models.paths[what];
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
}

/** The command line in a process of its own, killed after a time, or with a limit of file sizes in blocks of 1 KiB. */
function runCli({ work }: Round, args: readonly string[], killAfter?: number, blocks?: number): Promise<Ended> {
  const command = [process.execPath, CLI, ...args];
  const [program, ...rest] =
    blocks === undefined ? command : ['bash', '-c', `ulimit -f ${blocks}; exec "$@"`, 'bash', ...command];
  return new Promise((resolve) => {
    const child = spawn(program!, rest, { cwd: work, stdio: ['ignore', 'pipe', 'ignore'] });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout });
    });
  });
}
