/** Requests for more memory than there is: an error from the call, and a session that goes on. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
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
