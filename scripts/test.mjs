// `npm test`: set-up, lint, types, then every test; the summary of the tests comes last.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

run('set-up', ['scripts/setup.mjs']);
run('lint', ['scripts/lint/run.mjs']);
run('types', ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json']);
run("types of the explorer's page", [
  'node_modules/typescript/bin/tsc',
  '--noEmit',
  '-p',
  'packages/explorer/tsconfig.json',
]);
run('tests', ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)]);

function run(name, args) {
  const { status, signal } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) return;
  console.error(`\nnpm test: ${name} failed${signal ? ` (${signal})` : ''}.`);
  process.exit(status ?? 1);
}
