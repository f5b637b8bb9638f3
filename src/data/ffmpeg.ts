/** ffmpeg, where it is installed: it reads and writes what this package does not itself. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, sep } from 'node:path';
import { VaeError } from '../core/errors.js';
import type { FoundFile } from './find-files.js';

/** The program: `NODE_VAE_FFMPEG` where it is set, else the one on the path. */
function program(): string {
  return process.env['NODE_VAE_FFMPEG'] || 'ffmpeg';
}

interface FfmpegCall {
  /** The file and why ffmpeg is needed for it, for messages: `song.mp3 is no WAV file`. */
  readonly what: string;
  /** What to do without ffmpeg. */
  readonly remedy: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs ffmpeg to its end.
 *
 * @throws VaeError ERR_VAE_IO where it is not installed, ERR_VAE_FORMAT with its last words where it fails.
 */
export async function runFfmpeg(args: readonly string[], call: FfmpegCall): Promise<void> {
  const { code, said } = await start(['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...args], call);
  if (code === 0) return;
  const reason = said.trim().split('\n').slice(-2).join('; ') || `exit code ${code}`;
  throw new VaeError('ERR_VAE_FORMAT', `${call.what}, and ffmpeg could not convert it: ${reason}`);
}

/** What ffmpeg says of a file, as text: its streams are the lines with `Stream #`. */
export async function describedByFfmpeg(file: FoundFile, call: FfmpegCall): Promise<string> {
  // Without an output it describes the input and ends with an error.
  return (await start(['-hide_banner', '-nostdin', ...inputOf(file)], call)).said;
}

async function start(
  args: readonly string[],
  { what, remedy, signal }: FfmpegCall,
): Promise<{ code: number | null; said: string }> {
  signal?.throwIfAborted();
  const child = spawn(program(), args, { stdio: ['ignore', 'ignore', 'pipe'], ...(signal && { signal }) });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MOST_WORDS);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    if (signal?.aborted) throw signal.reason;
    if (cause.code !== 'ENOENT') throw cause;
    throw new VaeError(
      'ERR_VAE_IO',
      `${what}, and needs ffmpeg, which was not found. Install ffmpeg (or set NODE_VAE_FFMPEG to its path), or ${remedy}.`,
      { cause },
    );
  });
  signal?.throwIfAborted();
  return { code, said };
}

/** Of what ffmpeg says, the end is kept. */
const MOST_WORDS = 20_000;

/**
 * A file as ffmpeg's input, whatever its name is: `file:` keeps colons from being a protocol, and a name that is not
 * UTF-8, which no argument can hold, is reached through a link. Files that name others (playlists) reach files only.
 */
export function inputOf({ path }: FoundFile): string[] {
  return ['-protocol_whitelist', 'file', '-i', `file:${typeof path === 'string' ? path : linkTo(path)}`];
}

function linkTo(path: Buffer): string {
  const ending = /\.[A-Za-z0-9]{1,8}$/.exec(path.toString('latin1'))?.[0] ?? '';
  const link = temporaryFile(ending);
  const from = isAbsolute(path.toString('latin1'))
    ? path
    : Buffer.concat([Buffer.from(`${process.cwd()}${sep}`), path]);
  symlinkSync(from, link);
  return link;
}

let folder: string | undefined;
let made = 0;

/** A path for a converted file, in a folder that is removed when the process ends. */
export function temporaryFile(ending: string): string {
  if (folder === undefined) {
    const created = mkdtempSync(join(tmpdir(), 'node-vae-'));
    folder = created;
    process.once('exit', () => rmSync(created, { recursive: true, force: true }));
  }
  made += 1;
  return join(folder, `${made}${ending}`);
}
