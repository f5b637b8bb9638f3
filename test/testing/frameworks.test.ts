/** The set-ups of docs/guides/testing.md, run as they are written, in a project of their own. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs', 'guides', 'testing.md'), 'utf8');
const folder = temporaryFolder('frameworks');

mkdirSync(join(folder, 'node_modules'));
symlinkSync(root, join(folder, 'node_modules', 'node-vae'), 'dir');
symlinkSync(join(root, 'node_modules', 'vitest'), join(folder, 'node_modules', 'vitest'), 'dir');
writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');

function blockAfter(heading: string): string {
  const section = page.slice(page.indexOf(`\n## ${heading}\n`));
  return /```js\n([\s\S]*?)```/.exec(section)![1]!;
}

const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)(process.execPath, args, {
    cwd: folder,
    timeout: 100_000,
    env: {
      ...process.env,
      VITEST: undefined,
      VITEST_POOL_ID: undefined,
      NODE_TEST_CONTEXT: undefined,
      NO_COLOR: '1',
      ...env,
    },
  });

it.each(['forks', 'threads', 'vmThreads', 'vmForks'])(
  'vitest, pool %s',
  async (pool) => {
    writeFileSync(join(folder, 'vitest.test.mjs'), blockAfter('vitest'));
    const { stdout } = await run([
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      'vitest.test.mjs',
      `--pool=${pool}`,
    ]);
    expect(stdout).toMatch(/Tests {2}2 passed/);
  },
  120_000,
);

it('node:test', async () => {
  writeFileSync(join(folder, 'node.test.mjs'), blockAfter('node:test'));
  const { stdout } = await run(['--test', '--test-reporter=tap', 'node.test.mjs']);
  expect(stdout).toMatch(/# pass 2/);
}, 120_000);

/** Left out where it is not installed: it is no dependency of this project (npm install --no-save jest). */
const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
it.skipIf(!existsSync(jest))(
  'Jest',
  async () => {
    writeFileSync(join(folder, 'jest.config.mjs'), blockAfter('Jest 29 and 30').replace('*.test.mjs', '*.jest.mjs'));
    writeFileSync(
      join(folder, 'encode.jest.mjs'),
      blockAfter('vitest').replace(/import \{ afterAll.*\n/, "import { jest as vi } from '@jest/globals';\n"),
    );
    const { stderr } = await run([jest, '--detectOpenHandles'], { NODE_OPTIONS: '--experimental-vm-modules' });
    expect(stderr).toMatch(/Tests: {7}2 passed/);
    expect(stderr).not.toContain('open handle');
  },
  120_000,
);
