/** Importing the package makes no schema and loads nothing that only some programs need. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../scripts/package/packed.js';

test.each(['main/required', 'main/index', 'vae/inference'])('%s loads no library before it is used', async (entry) => {
  const program = `import { createRequire } from 'node:module';
    await import(${JSON.stringify(join(PACKAGE_ROOT, 'dist', `${entry}.js`))});
    console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  expect(JSON.parse(stdout)).toEqual([]);
});
