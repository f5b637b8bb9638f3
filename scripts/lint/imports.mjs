// Holds the sources to scripts/lint/rules.mjs: imports point down, in no circle; few packages are known to few.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';
import { EXCEPTIONS, FOLDERS, NATIVE, PACKAGES } from './rules.mjs';

const HELP = 'scripts/lint/rules.mjs has the rules, docs/architecture.md what each folder is for.';

/**
 * What breaks a rule, as `kind: who → whom`.
 * @param {string} root of a tree with `src` and `native`
 */
export function findFaults(root) {
  const imports = importsOf(root);
  return [
    ...upwardImports(imports),
    ...circles(imports),
    ...packageImports(imports),
    ...insideImports(imports, entriesOf(root)),
    ...optionsTwice(root),
    ...nativeIncludes(root),
    ...mapFaults(root),
  ].sort();
}

/** The faults that are no exceptions, and the exceptions that are no faults any more. */
export function judge(faults, exceptions = EXCEPTIONS) {
  const allowed = new Set(exceptions);
  const found = new Set(faults);
  return [
    ...faults.filter((fault) => !allowed.has(fault)),
    ...exceptions
      .filter((entry) => !found.has(entry))
      .map((entry) => `exception without a fault, take it out: ${entry}`),
  ];
}

/** Each file of src with what it imports: paths from the root, or names of packages. */
function importsOf(root) {
  const imports = new Map();
  for (const file of filesBelow(root, 'src', /\.ts$/)) {
    const text = readFileSync(join(root, file), 'utf8');
    const names = [...text.matchAll(/(?:^|[\s;}])(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name);
    imports.set(
      file,
      new Set(
        names.map((name) => (name.startsWith('.') ? posix.join(dirname(file), name.replace(/\.js$/, '.ts')) : name)),
      ),
    );
  }
  return imports;
}

function upwardImports(imports) {
  const level = (file) => FOLDERS.indexOf(file.split('/')[1]);
  const faults = [];
  for (const [file, targets] of imports) {
    if (level(file) < 0) faults.push(`unknown folder: ${file}`);
    for (const target of targets) {
      if (target.startsWith('src/') && level(target) < level(file)) faults.push(`upward: ${file} → ${target}`);
    }
  }
  return faults;
}

/** Files that import each other, by whatever detour (Tarjan 1972). Imports of types count. */
function circles(imports) {
  const faults = [];
  const order = new Map();
  const low = new Map();
  const open = [];
  const visit = (file) => {
    order.set(file, order.size);
    low.set(file, order.get(file));
    open.push(file);
    for (const target of imports.get(file) ?? []) {
      if (!imports.has(target)) continue;
      if (!order.has(target)) visit(target);
      if (open.includes(target)) low.set(file, Math.min(low.get(file), low.get(target)));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = open.splice(open.indexOf(file));
    if (circle.length > 1 || imports.get(file).has(file)) faults.push(`circle: ${circle.sort().join(', ')}`);
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return faults;
}

function packageImports(imports) {
  const faults = [];
  for (const [file, targets] of imports) {
    for (const { name, folders } of PACKAGES) {
      const used = [...targets].some((target) => target === name || target.startsWith(`${name}/`));
      if (used && !folders.some((folder) => file.startsWith(folder))) faults.push(`package: ${file} → ${name}`);
    }
  }
  return faults;
}

/** The command line is a program like others: it has what the package exports, and whole rooms of src/entries. */
function insideImports(imports, entries) {
  const faults = [];
  const isEntry = (file) => entries.includes(file) || /^src\/entries\/\w+\/index\.ts$/.test(file);
  for (const [file, targets] of imports) {
    if (!file.startsWith('src/cli/')) continue;
    for (const target of targets) {
      if (!target.startsWith('src/') || target.startsWith('src/cli/') || isEntry(target)) continue;
      faults.push(`inside: ${file} → ${target}`);
    }
  }
  return faults;
}

/** The sources of what package.json exports. */
function entriesOf(root) {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.values(exports).flatMap(({ types }) =>
    types === undefined ? [] : [types.replace(/^\.\/dist\//, 'src/').replace(/\.d\.ts$/, '.ts')],
  );
}

/** Options that a schema checks, and that an interface of the same file says once more instead of being derived. */
function optionsTwice(root) {
  const faults = [];
  for (const file of filesBelow(root, 'src', /\.ts$/)) {
    const text = readFileSync(join(root, file), 'utf8');
    const schemas = [...text.matchAll(/strictObject\(\{\n([\s\S]*?)\n\s*\}\)/g)].map(
      ([, body]) => new Set([...body.matchAll(/^\s+(\w+):/gm)].map(([, key]) => key)),
    );
    for (const [, name, header, body] of text.matchAll(/interface (\w*Options\w*)([^{]*)\{\n([\s\S]*?)\n\}/g)) {
      const members = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, key]) => key);
      // Left out of the schema's own: the schema takes anything there, and the type says what.
      const known = members.filter((key) => key !== 'signal' && !header.includes(`'${key}'`));
      if (known.length > 0 && schemas.some((keys) => known.every((key) => keys.has(key)))) {
        faults.push(`options twice: ${file} ${name}`);
      }
    }
  }
  return faults;
}

function nativeIncludes(root) {
  const faults = [];
  for (const file of filesBelow(root, 'native', /\.(cc|h|inc)$/)) {
    const folder = file.split('/')[1];
    if (folder === 'addon.cc') continue;
    const known = NATIVE[folder];
    if (known === undefined) {
      faults.push(`unknown folder: ${file}`);
      continue;
    }
    for (const [, header] of readFileSync(join(root, file), 'utf8').matchAll(/^\s*#\s*include\s*["<]([^">]+)[">]/gm)) {
      const [first] = header.split('/');
      const ours = header.includes('/') && first in NATIVE ? first : /^(napi|onnxruntime)/.exec(header)?.[0];
      if (ours !== undefined && !known.includes(ours)) faults.push(`include: ${file} → ${header}`);
    }
  }
  return faults;
}

/** The map in docs/architecture.md names the same folders in the same order. */
function mapFaults(root) {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const drawn = [...text.matchAll(/^src\/([\w.]+)\s{2,}/gm)].map(([, name]) => name);
  return drawn.join() === FOLDERS.join()
    ? []
    : [`map: docs/architecture.md draws ${drawn.join(', ')}; the order of the lint is ${FOLDERS.join(', ')}`];
}

function filesBelow(root, folder, pattern) {
  return readdirSync(join(root, folder), { recursive: true })
    .map((file) => `${folder}/${file.split(sep).join('/')}`)
    .filter((file) => pattern.test(file));
}

export function checkImports(root) {
  const complaints = judge(findFaults(root));
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) console.error(HELP);
  return complaints.length === 0;
}
