/** ffmpeg, where it is installed: it reads and writes what this package does not itself. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';

/** The program: `NODE_VAE_FFMPEG` where it is set, else the one on the path. */
function program(): string {
  return process.env['NODE_VAE_FFMPEG'] || 'ffmpeg';
}

/**
 * Runs ffmpeg to its end.
 *
 * @param what the file and why ffmpeg is needed for it, for messages: `song.mp3 is no WAV file`.
 * @param remedy what to do without ffmpeg.
 * @throws VaeError ERR_VAE_IO where it is not installed, ERR_VAE_FORMAT with its last words where it fails.
 */
export async function runFfmpeg(
  args: readonly string[],
  { what, remedy, signal }: { what: string; remedy: string; signal?: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted();
  const child = spawn(program(), ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(signal && { signal }),
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
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
  if (code === 0) return;
  const reason = said.trim().split('\n').slice(-2).join('; ') || `exit code ${code}`;
  throw new VaeError('ERR_VAE_FORMAT', `${what}, and ffmpeg could not convert it: ${reason}`);
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
