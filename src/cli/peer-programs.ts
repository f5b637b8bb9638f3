/** Programs that compress, beside which `bench-codec` and the benches measure codecs, where they are installed. */
import { spawn } from 'node:child_process';
import { access, constants as fsConstants, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Peer, PeerInput, PeerPicture } from '../index.js';

/** A program that reads and writes files. */
function program(
  name: string,
  command: string,
  files: { readonly plain: string; readonly packed: string },
  commands: { readonly pack: readonly string[]; readonly unpack: readonly string[]; readonly unpacker?: string },
  picture: boolean,
): Peer {
  const run = async (
    tool: string,
    args: readonly string[],
    input: Buffer,
    [from, to]: [string, string],
    signal?: AbortSignal,
  ) => {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-peer-'));
    try {
      await writeFile(join(folder, from), input);
      await execute(tool, args, folder, signal);
      return await readFile(join(folder, to));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    name,
    async obstacle(input) {
      for (const tool of [command, commands.unpacker ?? command]) {
        if (!(await isInstalled(tool))) return `${tool} is not installed`;
      }
      const made = picture ? input.picture() : undefined;
      return typeof made === 'string' ? made : undefined;
    },
    compress: (input) =>
      run(
        command,
        commands.pack,
        picture ? toPnm(pictureOf(input)) : Buffer.from(input.items),
        [files.plain, files.packed],
        input.signal,
      ),
    async decompress(bytes, input) {
      const plain = await run(
        commands.unpacker ?? command,
        commands.unpack,
        bytes,
        [files.packed, files.plain],
        input.signal,
      );
      return picture ? input.itemsOf(plain.subarray(plain.length - pictureOf(input).data.length)) : plain;
    },
  };
}

function pictureOf(input: PeerInput): PeerPicture {
  const picture = input.picture();
  if (typeof picture === 'string') throw new Error(picture);
  return picture;
}

/** PGM or PPM: the picture behind a header of three lines. */
function toPnm({ data, width, height, channels }: PeerPicture): Buffer {
  return Buffer.concat([Buffer.from(`${channels === 1 ? 'P5' : 'P6'}\n${width} ${height}\n255\n`), data]);
}

async function isInstalled(command: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = await access(join(folder, command), fsConstants.X_OK).then(
      async () => (await stat(join(folder, command))).isFile(),
      () => false,
    );
    if (found) return true;
  }
  return false;
}

function execute(command: string, args: readonly string[], cwd: string, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: 'ignore', ...(signal && { signal }) });
    child.on('error', reject);
    child.on('exit', (status, killed) => {
      if (status === 0) return resolve();
      // A signal to all of a terminal's processes may reach the program before it reaches us.
      setTimeout(
        () =>
          reject(
            new Error(`${command} ${killed === null ? `failed with status ${status}` : `was ended by ${killed}`}`),
          ),
        killed === null ? 0 : 50,
      );
    });
  });
}

const packed = (extension: string) => ({ plain: 'items', packed: `items.${extension}` });
const jpegXl = (effort: number): Peer =>
  program(
    `JPEG XL effort ${effort}`,
    'cjxl',
    { plain: 'items.ppm', packed: 'items.jxl' },
    {
      pack: ['-q', '100', '-e', String(effort), 'items.ppm', 'items.jxl'],
      unpack: ['items.jxl', 'items.ppm'],
      unpacker: 'djxl',
    },
    true,
  );

export const PEER_PROGRAMS: readonly Peer[] = [
  program('bzip2 -9', 'bzip2', packed('bz2'), { pack: ['-9', 'items'], unpack: ['-d', 'items.bz2'] }, false),
  program('xz -9e', 'xz', packed('xz'), { pack: ['-9e', 'items'], unpack: ['-d', 'items.xz'] }, false),
  program(
    'zstd -19',
    'zstd',
    packed('zst'),
    { pack: ['-q', '-19', 'items'], unpack: ['-q', '-d', 'items.zst'] },
    false,
  ),
  jpegXl(7),
  jpegXl(9),
];
