// The package's main entry, made of src/index.ts: what programs use first is there, everything else is loaded when first
// used. Two files of it: dist/main/required.js for require(), which cannot wait, and dist/main/index.js, which waits for
// all of it where it has to (in contexts of node:vm, as test runners have them, and in other runtimes).
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The text is what bundlers show of a file that they cannot put into CommonJS. */
export const awaitedEntry = `export * from 'main/required';
import { whole } from './core/lazy-parts.js';
await whole('node-vae is not to be bundled: tell the bundler to leave it out, see docs/guides/bundling.md');`;

/** Modules whose exports are there at once: most programs use them, and they are small. */
const AT_ONCE = new Set([
  './vae/index.js',
  './vae/deprecated.js',
  './core/errors.js',
  './inference/device/device-tensor.js',
]);
/** Exports of large modules that lie in small ones. */
const LIES_IN = { Dataset: './data/dataset.js' };

/**
 * The outputs of the modules that src/index.ts takes from, but for those at once.
 *
 * @param points entry points that there are, by output: these parts are where they are.
 */
export function lazyParts(root, points) {
  const outputs = Object.fromEntries(Object.entries(points).map(([output, source]) => [source, output]));
  const added = {};
  const files = {};
  for (const { from } of modulesOf(root)) {
    if (AT_ONCE.has(from)) continue;
    const source = posix.join('src', from.replace(/\.js$/, '.ts'));
    const output = outputs[source] ?? `lazy/${nameOf(from)}`;
    if (outputs[source] === undefined) added[output] = source;
    files[from] = output;
  }
  return { added, files };
}

/**
 * The source of the lazy entry, to be bundled in the folder src.
 *
 * @param parts as lazyParts() gives them.
 * @param built a folder with the bundle, whose main entry is asked what it exports.
 */
export function lazyEntry(root, parts, built) {
  const found = describe(root, parts, built);
  const lines = [`import { lazyClass, lazyNamespace, lazyPart } from './core/lazy-parts.js';`];
  for (const { from, names, as } of modulesOf(root)) {
    const exported = found.filter(
      ({ module, name }) => module === from && (names === undefined || name in names || name === as),
    );
    const late = [];
    for (const entry of exported) {
      const home = LIES_IN[entry.name] ?? (AT_ONCE.has(from) ? from : undefined);
      if (home !== undefined) lines.push(`export { ${entry.name} } from '${home}';`);
      else late.push(entry);
    }
    if (late.length === 0) continue;
    const part = `part_${nameOf(from).replaceAll('-', '_')}`;
    // Called late: by require() where the answer is wanted at once, which Node's require() of modules makes possible.
    lines.push(`const ${part} = lazyPart('../${parts.files[from]}.js', () => import('${from}'));`);
    for (const entry of late) lines.push(facade(entry, part));
  }
  return lines.join('\n');
}

function facade({ name, kind, value, keys }, part) {
  switch (kind) {
    case 'value':
      return `export const ${name} = ${Array.isArray(value) ? `Object.freeze(${JSON.stringify(value)})` : JSON.stringify(value)};`;
    case 'class':
      return `export const ${name} = lazyClass(${part}, '${name}');`;
    case 'namespace':
      return `export const ${name} = lazyNamespace(${part}, ${JSON.stringify(keys)});`;
    case 'async':
      return `export async function ${name}(...args) { return (await ${part}.import()).${name}(...args); }`;
    default:
      return `export function ${name}(...args) { return ${part}.require().${name}(...args); }`;
  }
}

const nameOf = (from) =>
  from
    .replace(/^\.\//, '')
    .replace(/\.js$/, '')
    .replace(/\/index$/, '')
    .replaceAll('/', '-');

/** The modules that src/index.ts takes values from. */
function modulesOf(root) {
  const source = readFileSync(join(root, 'src', 'index.ts'), 'utf8');
  const modules = [];
  for (const [, what, from] of source.matchAll(/^export (\*(?: as \w+)?|\{[^}]*\}) from '([^']+)';/gm)) {
    if (what === '*') modules.push({ from });
    else if (what.startsWith('*')) modules.push({ from, names: {}, as: what.slice('* as '.length) });
    else {
      const names = what
        .slice(1, -1)
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && !name.startsWith('type '));
      if (names.some((name) => name.includes(' as ')))
        throw new Error(`src/index.ts: ${from}: renamed exports are not understood here.`);
      if (names.length > 0) modules.push({ from, names: Object.fromEntries(names.map((name) => [name, name])) });
    }
  }
  return modules;
}

/** What the entry exports: from which module, and of what kind. */
function describe(root, parts, built) {
  const main = join(built, 'main', 'index.js');
  const asked = modulesOf(root).map(({ from, names, as }) => ({
    from,
    names: names && Object.keys(names),
    as,
    file: from in parts.files ? join(built, `${parts.files[from]}.js`) : undefined,
  }));
  const program = `
    const main = await import(${JSON.stringify(pathToFileURL(main).href)});
    const found = [];
    for (const { from, names, as, file } of ${JSON.stringify(asked)}) {
      const all = as !== undefined ? [as] : names ?? Object.keys(await import(${JSON.stringify('file://')} + file));
      for (const name of all) {
        const value = main[name];
        if (value === undefined) throw new Error(name + ' of ' + from + ' is not exported');
        const text = typeof value === 'function' ? Function.prototype.toString.call(value) : '';
        const kind = name === as ? 'namespace' : typeof value !== 'function' ? 'value' : text.startsWith('class') ? 'class' : text.startsWith('async') ? 'async' : 'function';
        found.push({ module: from, name, kind, ...(kind === 'value' && { value }), ...(kind === 'namespace' && { keys: Object.keys(value) }) });
      }
    }
    const missing = Object.keys(main).filter((name) => !found.some((entry) => entry.name === name));
    if (missing.length > 0) throw new Error('not understood in src/index.ts: ' + missing.join(', '));
    console.log(JSON.stringify(found));`;
  return JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8' }),
  );
}
