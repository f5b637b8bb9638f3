/** Requests for more memory than there is: an error from the call, and a session that goes on. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { ioError } from '../../src/core/files.js';
import { isOutOfMemory, refuseOutOfMemory } from '../../src/core/memory.js';
import { execute } from '../support/project.js';

/** A bound on address space makes "too much" mean the same on every machine. */
const canLimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0;
const BYTES = 60e9;

test.runIf(canLimit)('ONNX Runtime out of memory (needs prlimit)', async () => {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const program = join(import.meta.dirname, 'fixtures', 'out-of-memory.ts');
  const { code, stdout } = await execute('prlimit', [`--as=${BYTES}`, process.execPath, '--import', tsx, program]);
  const round = '100\nERR_VAE_RUNTIME\nERR_VAE_RUNTIME\n';
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${round}${round}${round}100\n` });
});

test.runIf(canLimit)('little memory is said as that: no picture is called damaged (needs prlimit)', async () => {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const program = join(import.meta.dirname, 'fixtures', 'little-memory.ts');
  const { stdout } = await execute(process.execPath, ['--import', tsx, program]);
  expect(stdout).toBe('ERR_VAE_RUNTIME true false\nERR_VAE_RUNTIME true false\n');
});

test('what says that memory ran out is told from what says anything else', () => {
  const ranOut = [
    catching(() => new ArrayBuffer(2 ** 52)),
    Object.assign(new Error('unexpected'), { code: 'Z_MEM_ERROR' }),
    Object.assign(new Error('mmap'), { code: 'ENOMEM' }),
    new Error('vips_image_write_to_memory: out of memory -- size == 26MB'),
    new Error('Non-zero status code returned while running Conv node. Status Message: std::bad_alloc'),
    new Error('wrapped', { cause: new RangeError('Array buffer allocation failed') }),
  ];
  for (const error of ranOut) {
    expect(isOutOfMemory(error)).toBe(true);
    expect(
      ioError(
        catching(() => refuseOutOfMemory(error, 'x.png')),
        'reading x.png',
      ),
    ).toMatchObject({
      code: 'ERR_VAE_RUNTIME',
      message: expect.stringContaining('x.png: there is not enough memory'),
    });
    expect(catching(() => ioError(error, 'reading x.png'))).toMatchObject({ code: 'ERR_VAE_RUNTIME' });
  }
  for (const error of [new Error('VipsJpeg: premature end of JPEG image'), new Error('no space'), undefined, 'text']) {
    expect(isOutOfMemory(error)).toBe(false);
    refuseOutOfMemory(error, 'x.png');
  }
});

function catching(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
