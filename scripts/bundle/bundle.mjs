// dist/ from src/: few files, so that importing the package opens few. Declarations stay as TypeScript writes them.
//
//   dist/**/*.d.ts       declarations, file by file
//   dist/ENTRY/*.js      what package.json exports, and the command
//   dist/shared/*.js     what entries share, and parts that are loaded when first used
//   dist/vendor/*.cjs    libraries that are loaded when first used, by functions that cannot wait
//
// Every JavaScript file lies two folders below the package, as the sources that look for files beside the package do.
import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { awaitedEntry, lazyEntry, lazyParts } from './lazy-entry.mjs';
import { pruneDeclarations } from './prune-declarations.mjs';
import { lazyVendors, vendors } from './vendors.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'dist');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Packages that are part of the bundle; all others are found where the package is installed. */
const BUNDLED = ['zod', '@bufbuild/protobuf', 'csv-parse', 'flatbuffers'];

/** Names of functions stay as they are, so that stack traces can be read; lines are mapped back to the sources. */
const COMMON = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  minifyWhitespace: true,
  minifySyntax: true,
  // Node prints the line of an error that nobody caught.
  lineLimit: 160,
  legalComments: 'none',
  logLevel: 'warning',
};

/** Of package.json's exports, those that are built; addon.cjs is shipped as it stands. */
const built = Object.values(manifest.exports).filter(
  (entry) => typeof entry === 'object' && entry.default.startsWith('./dist/'),
);

/** `A/B` of `dist/A/B.js` to the source it is made of, which lies where its declarations say. */
function entryPoints() {
  const targets = built.map((entry) => [entry.import ?? entry.default, entry.types.replace(/\.d\.ts$/, '.ts')]);
  for (const target of Object.values(manifest.bin)) targets.push([target, target.replace(/\.js$/, '.ts')]);
  return Object.fromEntries(
    targets.map(([target, source]) => {
      const name = /^\.\/dist\/(\w+\/\w+)\.js$/.exec(target)?.[1];
      if (name === undefined) throw new Error(`package.json: ${target} does not lie two folders below the package.`);
      return [name, source.replace('./dist/', 'src/')];
    }),
  );
}

const types = built.map((entry) => entry.types);

const external = [
  ...new Set([
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.peerDependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ]),
].filter((name) => !BUNDLED.includes(name));

// Types of the sources name it.
execFileSync(process.execPath, [join(root, 'packages/report/build.mjs')], { stdio: ['ignore', 'inherit', 'inherit'] });

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
// The verbs add themselves to the type of the class, and TypeScript leaves out of a declaration what it reads for that only.
const verbs = readdirSync(join(dist, 'vae', 'verbs')).filter((name) => name.endsWith('.d.ts'));
appendFileSync(
  join(dist, 'vae', 'index.d.ts'),
  verbs.map((name) => `import './verbs/${name.replace(/\.d\.ts$/, '.js')}';\n`).join(''),
);
pruneDeclarations(
  dist,
  types.map((path) => join(root, path)),
);

for (const { name, contents } of await vendors(root)) {
  await build({
    ...COMMON,
    stdin: { contents, resolveDir: root, loader: 'ts' },
    outfile: join(dist, 'vendor', `${name}.cjs`),
    format: 'cjs',
    minifyIdentifiers: true,
    plugins: [
      {
        name: 'without translations',
        setup({ onLoad }) {
          // zod's messages in fifty languages.
          onLoad({ filter: /zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({ contents: 'export {}' }));
        },
      },
    ],
  });
}

const points = entryPoints();
const parts = lazyParts(root, points);
const bundle = (entryPoints, folder, plugins = []) =>
  build({
    ...COMMON,
    entryPoints,
    outdir: folder,
    splitting: true,
    format: 'esm',
    chunkNames: 'shared/[name]-[hash]',
    external,
    sourcemap: true,
    sourcesContent: false,
    plugins: [lazyVendors(root, createRequire(import.meta.url)), ...plugins],
  });
// Once to ask what the main entry exports; then with the lazy entry, which is made of that.
const asked = join(root, 'dist', 'asked');
await bundle({ ...points, ...parts.added }, asked);
const source = lazyEntry(root, parts, asked);
rmSync(asked, { recursive: true });
const made = { 'main/required': source, 'main/index': awaitedEntry };
await bundle({ ...points, ...parts.added, 'main/required': 'main/required', 'main/index': 'main/index' }, dist, [
  {
    name: 'entries made here',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^main\/\w+$/ }, ({ path }) => ({ path, namespace: 'made' }));
      onLoad({ filter: /.*/, namespace: 'made' }, ({ path }) => ({
        contents: made[path],
        resolveDir: join(root, 'src'),
        loader: 'js',
      }));
    },
  },
]);

// Nobody debugs the command by its stack traces; the package is to stay small.
for (const target of Object.values(manifest.bin)) {
  rmSync(join(root, `${target}.map`));
  const path = join(root, target);
  const { code } = await transform(readFileSync(path, 'utf8'), {
    format: 'esm',
    target: COMMON.target,
    minify: true,
    lineLimit: COMMON.lineLimit,
    legalComments: 'none',
  });
  writeFileSync(path, code);
}
