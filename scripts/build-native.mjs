#!/usr/bin/env node
// Builds the native addon with cmake-js and puts it at build/Release/node-vae.node. Does nothing when
// neither the sources nor the settings changed. Needs no network, no npm setting and no Node headers
// of the system: node-api-headers, node-addon-api and ONNX Runtime's headers are dependencies.
//
//   node scripts/build-native.mjs [--force] [--sanitize address|thread|undefined|address,undefined]
//   node scripts/build-native.mjs [--force] --target linux-arm64
//
// A sanitized addon goes to build/<sanitizer>/build/Release; NODE_VAE_PREBUILD=build/<sanitizer>
// makes the loader take it. One for another processor goes to build/<target>/build/Release.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

export const SANITIZERS = ['address', 'thread', 'undefined', 'address,undefined'];

/** What CMake needs to build for a processor that is not this one. */
const TARGETS = {
  // Debian and Ubuntu: apt-get install g++-aarch64-linux-gnu
  'linux-arm64': [
    '--arch=arm64',
    '--CDCMAKE_SYSTEM_NAME=Linux',
    '--CDCMAKE_SYSTEM_PROCESSOR=aarch64',
    '--CDCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++',
  ],
};

/** Every file under a folder, in a fixed order. */
function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** A hash of everything the configuration depends on, and one of the sources as well. */
function fingerprints(flags) {
  const settings = createHash('sha256');
  settings.update(JSON.stringify({ root, flags, platform: process.platform, arch: process.arch }));
  for (const name of ['ONNXRUNTIME_INCLUDE_DIR', 'CC', 'CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS']) {
    settings.update(`${name}=${process.env[name] ?? ''}\n`);
  }
  for (const name of ['cmake-js', 'node-addon-api', 'node-api-headers', 'com.github.asus4.onnxruntime']) {
    const manifest = join(root, 'node_modules', name, 'package.json');
    settings.update(`${name}@${existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : 'none'}\n`);
  }
  const configuration = settings.copy().digest('hex');
  for (const file of filesUnder(join(root, 'native'))) {
    settings.update(`${relative(root, file)}\0`);
    settings.update(readFileSync(file));
  }
  return { configuration, sources: settings.digest('hex') };
}

function readStamp(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

/** The environment without what another build tool up the chain, or npm, put there for itself. */
function cleanEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^(MAKEFLAGS|MFLAGS|MAKELEVEL|npm_config_nodedir)$/i.test(name)) delete env[name];
  }
  return env;
}

/** Runs `body` while holding a lock folder, so that two builds of one tree do not mix. */
function locked(lock, body) {
  const started = Date.now();
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      let age = 0;
      try {
        age = Date.now() - statSync(lock).mtimeMs;
      } catch {
        continue; // just released
      }
      if (age > 10 * 60_000 || Date.now() - started > 15 * 60_000) {
        rmSync(lock, { recursive: true, force: true }); // left by a build that was killed
        continue;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  try {
    return body();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/**
 * Builds if needed and returns the path of the addon.
 * @param {{ force?: boolean, sanitize?: string, target?: string, quiet?: boolean }} [options]
 */
export function buildNative({ force = false, sanitize = '', target = '', quiet = false } = {}) {
  if (sanitize && !SANITIZERS.includes(sanitize)) {
    throw new Error(`Sanitizer: expected one of ${SANITIZERS.join('; ')}, received "${sanitize}".`);
  }
  if (target && !Object.hasOwn(TARGETS, target)) {
    throw new Error(`Target: expected one of ${Object.keys(TARGETS).join(', ')}, received "${target}".`);
  }
  const variant = [target, sanitize].filter(Boolean).join('-');
  const base = variant ? join(root, 'build', variant) : root;
  const output = join(base, 'build', 'Release', 'node-vae.node');
  const work = join(root, 'build', variant ? `cmake-${variant}` : 'cmake');
  const stamp = join(root, 'build', variant ? `native-${variant}.json` : 'native.json');
  const flags = [...(target ? TARGETS[target] : []), ...(sanitize ? [`--CDNODE_VAE_SANITIZE=${sanitize}`] : [])];
  const upToDate = () => !force && existsSync(output) && readStamp(stamp).sources === fingerprints(flags).sources;
  if (upToDate()) return output;

  mkdirSync(join(root, 'build'), { recursive: true });
  return locked(join(root, 'build', '.native-lock'), () => {
    if (upToDate()) return output; // another build finished while this one waited
    const wanted = fingerprints(flags);
    if (force || readStamp(stamp).configuration !== wanted.configuration) {
      rmSync(work, { recursive: true, force: true });
    }
    const cmakeJs = join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
    const args = [cmakeJs, 'build', '-d', join(root, 'native'), '-O', work, ...flags];
    args.push('--parallel', String(availableParallelism()));
    const result = spawnSync(process.execPath, args, {
      cwd: root,
      env: cleanEnvironment(),
      encoding: 'utf8',
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
      maxBuffer: 1 << 28,
    });
    if (result.error) throw result.error;
    if (result.status !== 0) {
      if (quiet) process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
      throw new Error(
        'Building the native addon failed (see above). It needs CMake 3.20 or newer and a C++20 compiler: ' +
          'on Debian or Ubuntu `apt-get install cmake g++`, on macOS `xcode-select --install` and `brew install cmake`, ' +
          'on Windows Visual Studio with the C++ workload.',
      );
    }
    const built = [join(work, 'Release', 'node-vae.node'), join(work, 'node-vae.node')].find((path) =>
      existsSync(path),
    );
    if (built === undefined) throw new Error(`cmake-js reported success, but there is no node-vae.node under ${work}.`);
    mkdirSync(dirname(output), { recursive: true });
    // A process may have the old file mapped: replace the name, not the bytes.
    const fresh = `${output}.${process.pid}.tmp`;
    copyFileSync(built, fresh);
    renameSync(fresh, output);
    writeFileSync(stamp, `${JSON.stringify(wanted)}\n`);
    return output;
  });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const after = (name) => (args.includes(name) ? (args[args.indexOf(name) + 1] ?? '?') : '');
  try {
    const options = { force: args.includes('--force'), sanitize: after('--sanitize'), target: after('--target') };
    console.log(buildNative({ ...options, quiet: !process.env.VERBOSE }));
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
