// Libraries that only some programs need, needed then by functions that cannot wait for an import: each is one file
// of CommonJS, loaded when something of it is first used.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @returns the vendor files to build: name and source. */
export async function vendors(root) {
  const names = namesFrom(root, '@bufbuild/protobuf').join(', ');
  return [
    { name: 'zod', contents: `export { ${(await zodNames(root)).join(', ')} } from 'zod';` },
    {
      name: 'protobuf',
      contents: `export { ${names} } from '@bufbuild/protobuf'; export * from './src/graph/proto/onnx_pb.ts';`,
    },
  ];
}

/** Puts stand-ins in the place of these libraries. */
export function lazyVendors(root, require) {
  const protobuf = Object.keys(require(join(root, 'dist', 'vendor', 'protobuf.cjs')));
  return {
    name: 'lazy vendors',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^zod$/ }, () => ({ path: join(root, 'src', 'core', 'lazy-zod.ts') }));
      onLoad({ filter: /[/\\]core[/\\]lazy-zod\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8')
          .replace(`createRequire(import.meta.url)('zod')`, 'packageFiles().loadZod()')
          .replace(/^import .*node:module';$/m, `import { packageFiles } from './package-files.js';`),
        loader: 'ts',
      }));
      // ONNX's messages: descriptors of them all are made when the first file is read or written.
      onResolve({ filter: /^@bufbuild\/protobuf$|\/onnx_pb\.js$/ }, ({ importer }) =>
        importer === '' ? undefined : { path: 'protobuf', namespace: 'vendor' },
      );
      onResolve({ filter: /^vendor:load$/ }, () => ({ path: 'load', namespace: 'vendor' }));
      onLoad({ filter: /^load$/, namespace: 'vendor' }, () => ({
        contents: `import { packageFiles } from './src/core/package-files.js';
          let loaded;
          export const load = () => (loaded ??= packageFiles().loadProtobuf());`,
        resolveDir: root,
        loader: 'js',
      }));
      // As CommonJS, whose names are looked up whenever they are used.
      onLoad({ filter: /^protobuf$/, namespace: 'vendor' }, () => ({
        contents: [
          `const { load } = require('vendor:load');`,
          ...protobuf.map(
            (name) => `Object.defineProperty(exports, '${name}', { enumerable: true, get: () => load().${name} });`,
          ),
        ].join('\n'),
        loader: 'js',
      }));
    },
  };
}

/** What the sources that read and write ONNX files take from a package, types aside. */
function namesFrom(root, name) {
  const folder = join(root, 'src', 'graph', 'proto');
  const statement = new RegExp(`import \\{([^}]*)\\} from '${name}'`, 'g');
  const sources = readdirSync(folder).filter((file) => file.endsWith('.ts') && file !== 'onnx_pb.ts');
  const names = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(statement)].flatMap(([, list]) => list.split(',')),
  );
  return [...new Set(names.map((one) => one.trim().split(' as ')[0]))].filter((one) => one && !one.startsWith('type '));
}

/** What of zod the sources name: a fifth of it. */
async function zodNames(root) {
  const known = new Set(Object.keys(await import('zod')));
  const folder = join(root, 'src');
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const named = sources.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/\bz\.(\w+)/g)].map(([, name]) => name),
  );
  return [...new Set(named)].filter((name) => known.has(name)).sort();
}
