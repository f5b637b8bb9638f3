/**
 * Runs the code blocks of the documentation as written, in an empty project. A block is run when the
 * line before it is `<!-- test: NAME -->`; blocks of one name and file run one after another as one program.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyProject, execute, PACKAGE_ROOT } from '../support/project.js';

const BLOCK = /<!-- test: ([\w-]+) -->\n```(?:js|ts)\n([\s\S]*?)```/g;

async function documents(): Promise<string[]> {
  const docs = await readdir(join(PACKAGE_ROOT, 'docs'), { recursive: true });
  return ['README.md', ...docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name))];
}

async function programs(): Promise<{ name: string; code: string }[]> {
  const found = new Map<string, string>();
  for (const file of await documents()) {
    const text = await readFile(join(PACKAGE_ROOT, file), 'utf8');
    for (const [, name, code] of text.matchAll(BLOCK)) {
      const key = `${file}, ${name}`;
      found.set(key, (found.get(key) ?? '') + code);
    }
  }
  return [...found].map(([name, code]) => ({ name, code }));
}

describe('code in the documentation', async () => {
  const all = await programs();
  let project: string;
  beforeAll(async () => {
    project = await emptyProject();
  });
  afterAll(() => rm(project, { recursive: true, force: true }));

  test('the README has an example', () => {
    expect(all.map(({ name }) => name)).toContain('README.md, readme');
  });

  test.each(all)('$name runs as written', async ({ code }) => {
    const file = join(project, 'example.mjs');
    await writeFile(file, code);
    const { code: exit, stderr } = await execute(process.execPath, [file], { cwd: project });
    expect(stderr).toBe('');
    expect(exit).toBe(0);
  });

  test('the README example trains, and leaves a model that others can open', async () => {
    const readme = all.find(({ name }) => name === 'README.md, readme')!;
    const file = join(project, 'readme.mjs');
    await writeFile(file, readme.code);
    const { stdout } = await execute(process.execPath, [file], { cwd: project });
    expect(stdout).toMatch(/^loss \d+\.\d+ nats\n$/);
    expect((await readdir(join(project, 'my-model'))).sort()).toEqual(['config.json', 'decoder.onnx', 'encoder.onnx']);
    expect(readme.code.trim().split('\n').length).toBeLessThanOrEqual(18);
  });
});
