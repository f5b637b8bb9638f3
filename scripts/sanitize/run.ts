/**
 * Runs everything native under sanitizers: npm run check:sanitizers -- [address] [leaks] [thread] [coder]
 *
 * address: AddressSanitizer and UndefinedBehaviorSanitizer over the tests of the binding and what stands on it.
 * leaks:   LeakSanitizer over a program that opens, uses, fails and closes everything.
 * thread:  ThreadSanitizer over the tests in which threads meet.
 * coder:   the coder's own tests and its fuzz corpus, under address, undefined and thread.
 * Without a name, all of them. Linux with GCC only. The first run builds the addon anew for each.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative } from '../build-native.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const reports = mkdtempSync(join(tmpdir(), 'node-vae-sanitize-'));

/** Everything that runs native code in this process, as vitest's filters: the addon is used all over these folders. */
const NATIVE_TESTS = [
  'test/binding/',
  'test/codecs/',
  'test/inference/',
  'test/training/',
  'test/latent/',
  'test/artifacts/native-kernels',
  'test/artifacts/parity',
  'test/vae/vae.test',
];
/** Those in which threads meet: the rest runs the same native code once more on one thread. */
const THREADED_TESTS = [
  'test/binding/',
  'test/codecs/codec',
  'test/codecs/lossy',
  'test/inference/batcher',
  'test/inference/dense-network',
  'test/inference/dense-int8',
  'test/inference/workers',
  'test/training/training-session',
  'test/artifacts/native-kernels',
];
/** Not those: a sanitizer changes what memory they measure, builds of other libraries, and ends by SIGKILL. */
const LEFT_OUT = ['**/memory.test.ts', 'test/binding/loader.test.ts', 'test/training/kill.test.ts'];

const library = (name: string) => execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();

interface Check {
  readonly sanitizer: string;
  readonly libraries: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

const vitest = (tests: readonly string[]) => [
  join(root, 'node_modules/vitest/vitest.mjs'),
  'run',
  ...tests,
  ...LEFT_OUT.map((pattern) => `--exclude=${pattern}`),
  // Counts turns of the event loop against the clock, which a sanitizer stretches.
  '--testNamePattern=^(?!.*event loop turns)',
  '--maxWorkers=1',
  '--testTimeout=900000',
  '--hookTimeout=900000',
];

const log = join(reports, 'report');
const CHECKS: Readonly<Record<string, Check>> = {
  address: {
    sanitizer: 'address,undefined',
    libraries: ['libasan.so', 'libubsan.so'],
    options: {
      ASAN_OPTIONS: `detect_leaks=0:log_path=${log}`,
      UBSAN_OPTIONS: `print_stacktrace=1:halt_on_error=1:log_path=${log}`,
    },
    command: vitest(NATIVE_TESTS),
  },
  leaks: {
    sanitizer: 'address,undefined',
    libraries: ['libasan.so', 'libubsan.so'],
    options: {
      ASAN_OPTIONS: `detect_leaks=1:log_path=${log}`,
      LSAN_OPTIONS: `suppressions=${join(here, 'leaks.supp')}:print_suppressions=0`,
    },
    command: ['--expose-gc', '--import', 'tsx', join(here, 'exercise.ts')],
  },
  thread: {
    sanitizer: 'thread',
    libraries: ['libtsan.so'],
    options: {
      TSAN_OPTIONS:
        // Threads that tools of others leave behind are not ours to join.
        'ignore_noninstrumented_modules=1:report_thread_leaks=0:history_size=4:' +
        `suppressions=${join(here, 'threads.supp')}:log_path=${log}`,
    },
    command: vitest(THREADED_TESTS),
  },
};

const names = process.argv.slice(2);
const known = [...Object.keys(CHECKS), 'coder'];
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. Usage: npm run check:sanitizers -- [${known.join('] [')}]`);
  process.exit(2);
}

let failed = false;
for (const name of names.length > 0 ? names : known) {
  const faults = name === 'coder' ? coder() : addon(CHECKS[name]!);
  console.log(`${faults === undefined ? 'clean' : 'FAULT'}  ${name}${faults ? `\n${faults}` : ''}`);
  failed ||= faults !== undefined;
}
rmSync(reports, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

/** What a check found: its reports, or the end of what it said where it failed otherwise. */
function addon({ sanitizer, libraries, options, command }: Check): string | undefined {
  const built = buildNative({ sanitize: sanitizer, quiet: true });
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: {
      ...process.env,
      ...options,
      LD_PRELOAD: libraries.map(library).join(' '),
      // The loader (addon.cjs) looks for build/Release below this folder.
      NODE_VAE_TEST_PATIENCE_MS: '900000',
      NODE_VAE_PREBUILD: join(built, '..', '..', '..'),
    },
  });
  const found = readdirSync(reports).map((file) => readFileSync(join(reports, file), 'utf8'));
  for (const file of readdirSync(reports)) rmSync(join(reports, file));
  if (found.length > 0) return found.join('\n').slice(0, 20_000);
  return status === 0 ? undefined : `ended with ${signal ?? status}:\n${(stdout + stderr).slice(-8000)}`;
}

function coder(): string | undefined {
  for (const sanitizer of ['address,undefined', 'thread']) {
    const build = join(root, 'build', `coder-${sanitizer}`);
    for (const args of [
      ['cmake', '-S', join(root, 'native/coder'), '-B', build, `-DNODE_VAE_SANITIZE=${sanitizer}`],
      ['cmake', '--build', build],
      ['ctest', '--test-dir', build, '--output-on-failure'],
    ]) {
      const { status, stdout, stderr } = spawnSync(args[0]!, args.slice(1), { encoding: 'utf8', maxBuffer: 1 << 28 });
      if (status !== 0) return `${sanitizer}: ${args.join(' ')}\n${(stdout + stderr).slice(-8000)}`;
    }
  }
  return undefined;
}
