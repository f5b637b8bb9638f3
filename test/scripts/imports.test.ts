/** The lint of imports finds what it is there for. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { findFaults, judge } from '../../scripts/lint/imports.mjs';
import { FOLDERS } from '../../scripts/lint/rules.mjs';
import { temporaryFolderOfTest } from '../support/temporary.js';

let root: string;
beforeEach(() => {
  root = temporaryFolderOfTest('imports');
  put('docs/architecture.md', FOLDERS.map((folder) => `src/${folder}    what it is for`).join('\n'));
  put(
    'package.json',
    JSON.stringify({ exports: { '.': { types: './dist/index.d.ts' }, './package.json': './package.json' } }),
  );
  put('src/core/errors.ts', 'export const error = 1;\n');
  put('src/graph/ir.ts', "import { error } from '../core/errors.js';\nexport const ir = error;\n");
  put('native/core/error.h', '#include <string>\n');
});

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

it('finds what the command line takes from inside, and options that are stated twice', () => {
  put('src/index.ts', "export * from './graph/ir.js';\n");
  put('src/cli/run.ts', "import '../index.js';\nimport './other.js';\nconst ir = import('../graph/ir.js');\n");
  put('src/cli/other.ts', 'export const other = 1;\n');
  const schema = 'const schema = z.strictObject({\n  side: z.int(),\n  ...signalShape,\n});\n';
  put('src/core/once.ts', `${schema}export interface Options extends InputOf<typeof schema> {}\n`);
  put(
    'src/core/twice.ts',
    `${schema}export interface Options {\n  /** a side */\n  readonly side?: number;\n  readonly signal?: AbortSignal;\n}\n`,
  );
  expect(findFaults(root)).toEqual([
    'inside: src/cli/run.ts → src/graph/ir.ts',
    'options twice: src/core/twice.ts Options',
  ]);
});

it('has nothing against imports that point down', () => {
  expect(findFaults(root)).toEqual([]);
});

it.each([
  ['upward', "import { ir } from '../graph/ir.js';\n", 'upward: src/core/low.ts → src/graph/ir.ts'],
  ['upward, of a type', "import type { Ir } from '../graph/ir.js';\n", 'upward: src/core/low.ts → src/graph/ir.ts'],
  ['upward, over lines', "import {\n  ir,\n} from '../graph/ir.js';\n", 'upward: src/core/low.ts → src/graph/ir.ts'],
  ['upward, once it runs', "const ir = () => import('../graph/ir.js');\n", 'upward: src/core/low.ts → src/graph/ir.ts'],
  ['upward, passed on', "export * from '../graph/ir.js';\n", 'upward: src/core/low.ts → src/graph/ir.ts'],
  ['a package', "import sharp from 'sharp';\n", 'package: src/core/low.ts → sharp'],
  [
    'a package, once it runs',
    "const { default: sharp } = await import('sharp');\n",
    'package: src/core/low.ts → sharp',
  ],
])('finds what is forbidden: %s', (_, text, fault) => {
  put('src/core/low.ts', text);
  expect(findFaults(root)).toEqual([fault]);
});

it('finds circles, whatever their length, once each', () => {
  put('src/core/a.ts', "import './b.js';\n");
  put('src/core/b.ts', "import './c.js';\n");
  put('src/core/c.ts', "import type { A } from './a.js';\nimport './errors.js';\n");
  put('src/core/d.ts', "import './a.js';\n");
  expect(findFaults(root)).toEqual(['circle: src/core/a.ts, src/core/b.ts, src/core/c.ts']);
});

it('finds includes that native folders may not have, unknown folders, and a map that is out of date', () => {
  put('native/coder/coder.cc', '#include "core/error.h"\n#include "ort/api.h"\n#include <napi.h>\n');
  put('src/attic/old.ts', 'export {};\n');
  put('docs/architecture.md', 'src/core    tensors\n');
  expect(findFaults(root)).toEqual([
    'include: native/coder/coder.cc → napi.h',
    'include: native/coder/coder.cc → ort/api.h',
    expect.stringMatching(/^map: /),
    'unknown folder: src/attic/old.ts',
  ]);
});

it('forgives what is listed, and complains of what is listed without need', () => {
  expect(judge(['a', 'b'], ['b', 'c'])).toEqual(['a', 'exception without a fault, take it out: c']);
});
