/** The coder's own tests and its fuzzing corpus, built without Node and without ONNX Runtime. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  expect(status, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

it('builds alone, passes its property tests and replays its corpus', { timeout: 300_000 }, () => {
  run('cmake', '-S', 'native/coder', '-B', 'build/coder', '-DCMAKE_BUILD_TYPE=Release');
  run('cmake', '--build', 'build/coder', '--parallel', '2');
  expect(run('build/coder/coder_test')).toMatch(/^\d{6,} checks passed/);
  expect(run('build/coder/coder_replay', 'native/coder/fuzz/corpus')).toMatch(/^\d{2,} files replayed/);
});
