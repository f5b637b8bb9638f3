/** What SECURITY.md and docs/dependencies.md promise of the sources. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PACKAGE_ROOT } from './support/project.js';

const names = await readdir(join(PACKAGE_ROOT, 'src'), { recursive: true });
const sources = await Promise.all(
  names
    .filter((name) => name.endsWith('.ts'))
    .map(async (name) => ({ name, code: await readFile(join(PACKAGE_ROOT, 'src', name), 'utf8') })),
);
const filesWith = (pattern: RegExp) => sources.filter(({ code }) => pattern.test(code)).map(({ name }) => name);

test('there are sources to look at', () => {
  expect(sources.length).toBeGreaterThan(200);
  expect(filesWith(/from 'node:fs/).length).toBeGreaterThan(5);
});

test('no eval and no code from text', () => {
  expect(filesWith(/\beval\(|new Function\b|from 'node:vm'/)).toEqual([]);
});

test('no network but what the explorer answers, whose guard knows addresses, and metrics of workers that are asked for', () => {
  const found = filesWith(/from 'node:(https?|http2|net|tls|dgram|dns)'|\bfetch\(|WebSocket/);
  expect(found.sort()).toEqual(['entries/explorer/guard.ts', 'entries/explorer/server.ts', 'jobs/fleet/metrics.ts']);
});

test('programs are started in three places, by name and without a shell', () => {
  expect(filesWith(/child_process/).sort()).toEqual(['cli/peer-programs.ts', 'data/ffmpeg.ts', 'jobs/processes.ts']);
  expect(filesWith(/shell: ?true|\bexec(Sync)?\(['"`]|execSync/)).toEqual([]);
});

test('nothing runs when the package is installed', async () => {
  const { scripts } = JSON.parse(await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { scripts: object };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
});

test('every dependency has its reason in docs/dependencies.md, and no other has', async () => {
  const manifest = JSON.parse(await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
    optionalDependencies: Record<string, string>;
    peerDependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const page = await readFile(join(PACKAGE_ROOT, 'docs', 'dependencies.md'), 'utf8');
  const [runTime] = page.split('## Written here') as [string, ...string[]];
  /** The packages that the table under a heading has. */
  const named = (heading: string): string[] => {
    const section = runTime.split(heading)[1]!.split(/^##/m)[0]!;
    return Array.from(section.matchAll(/^\| `([^`]+)`/gm), ([, name]) => name!).sort();
  };
  expect(named('## At run time')).toEqual(
    Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }).sort(),
  );
  expect(named('### Optional peers')).toEqual(Object.keys(manifest.peerDependencies).sort());
  const development = Object.keys(manifest.devDependencies).filter((name) => !name.startsWith('@types/'));
  expect(development.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
