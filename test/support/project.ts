/** An empty project folder in which `import 'node-vae'` finds this package as it was built. */
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute } from '../../scripts/package/execute.js';
import { PACKAGE_ROOT } from '../../scripts/package/packed.js';

export { execute, PACKAGE_ROOT };

export async function emptyProject(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-project-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(PACKAGE_ROOT, join(folder, 'node_modules', 'node-vae'), 'dir');
  await writeFile(join(folder, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n');
  return folder;
}
