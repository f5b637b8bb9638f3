// Leaves out declarations that no entry of the package leads to.
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/**
 * @param folder what TypeScript has written to.
 * @param entries paths of the declarations that package.json names.
 */
export function pruneDeclarations(folder, entries) {
  const kept = new Set();
  const visit = (path) => {
    if (kept.has(path)) return;
    kept.add(path);
    // Of import and export statements, of import('...') types, and of modules that are declared further.
    for (const [, name] of readFileSync(path, 'utf8').matchAll(
      /(?:from|import|import\(|module)\s*['"](\.[^'"]+)\.js['"]/g,
    )) {
      visit(resolve(dirname(path), `${name}.d.ts`));
    }
  };
  for (const entry of entries) visit(resolve(entry));
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = resolve(folder, name);
    if (name.endsWith('.d.ts') && !kept.has(path)) rmSync(path);
  }
  removeEmpty(folder);
}

function removeEmpty(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeEmpty(join(folder, entry.name));
  }
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
