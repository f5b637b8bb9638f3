/** The sources as plain JavaScript in a package of its own, for tests that start processes and workers. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = resolve(import.meta.dirname, '..', '..');
const require = createRequire(import.meta.url);

/**
 * Compiles src/binding, or from another entry, into `<at>/dist`, as it is installed.
 * @param links what of the repository to link beside it: the addon, the dependencies.
 * @returns the path of the module to import.
 */
export async function compileBinding(
  at: string,
  links: { readonly addon?: boolean; readonly modules?: readonly string[] | 'all' } = {},
  entry = 'binding/index.ts',
): Promise<string> {
  await mkdir(at, { recursive: true });
  await writeFile(
    join(at, 'package.json'),
    '{ "name": "node-vae", "type": "module", "exports": { "./addon.cjs": "./addon.cjs" } }',
  );
  await copyFile(join(ROOT, 'addon.cjs'), join(at, 'addon.cjs'));
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      rootDir: join(ROOT, 'src'),
      outDir: join(at, 'dist'),
      typeRoots: [join(ROOT, 'node_modules', '@types')],
    },
    include: [],
    files: [join(ROOT, 'src', entry)],
  };
  await writeFile(join(at, 'tsconfig.json'), JSON.stringify(config));
  const compiled = join(at, 'dist', entry.replace(/\.ts$/, '.js'));
  await promisify(execFile)(process.execPath, [tsc, '-p', at]).catch((error: Error) => {
    // Code with type errors is written all the same; telling of them is the type check's part.
    if (!existsSync(compiled)) throw error;
  });
  if (links.addon !== false) await symlink(join(ROOT, 'build'), join(at, 'build'), 'junction');
  const { modules = 'all' } = links;
  if (modules === 'all') {
    await symlink(join(ROOT, 'node_modules'), join(at, 'node_modules'), 'junction');
  } else {
    await mkdir(join(at, 'node_modules'), { recursive: true });
    for (const name of modules) {
      await symlink(join(ROOT, 'node_modules', name), join(at, 'node_modules', name), 'junction');
    }
  }
  return compiled;
}
