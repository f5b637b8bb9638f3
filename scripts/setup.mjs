// Brings a clone to a state in which everything runs: dependencies, addon, compiled TypeScript.
// Each part is skipped where nothing it depends on has changed. Uses nothing but Node itself.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInstalled } from './installed.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

if (!isInstalled(root)) {
  console.error('Setting up dependencies ...');
  run(npm, ['ci', '--no-audit', '--no-fund'], { ONNXRUNTIME_NODE_INSTALL: 'skip' });
}

// Knows by itself when there is nothing to do.
run(process.execPath, ['scripts/build-native.mjs']);

const compiled = [
  'src',
  'packages/report/src',
  'packages/report/build.mjs',
  'packages/explorer/src',
  'scripts/bundle',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
];
// The page reads and writes the messages of the server by the same source, and draws sound as the library does.
step(
  'the page of the explorer',
  'packages/explorer/dist/.node-vae-stamp',
  [
    'packages/explorer/page',
    'packages/explorer/build.mjs',
    'packages/explorer/package.json',
    'src/entries/explorer',
    'src/data/audio',
  ],
  () => run(process.execPath, ['packages/explorer/build.mjs']),
);

step('TypeScript', 'dist/.node-vae-stamp', compiled, () => run(process.execPath, ['scripts/bundle/bundle.mjs']));

function step(name, stampFile, inputs, work) {
  const stamp = join(root, stampFile);
  const fingerprint = hashOf(inputs);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint) return;
  console.error(`Setting up ${name} ...`);
  work();
  mkdirSync(join(stamp, '..'), { recursive: true });
  writeFileSync(stamp, fingerprint);
}

function run(command, args, env = {}) {
  try {
    execFileSync(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      // Node starts a .cmd file through a shell only.
      shell: command.endsWith('.cmd'),
    });
  } catch (error) {
    console.error(`\nSet-up failed: ${command} ${args.join(' ')} (exit code ${error.status ?? error.code}).`);
    process.exit(1);
  }
}

function hashOf(paths) {
  const hash = createHash('sha256').update(process.version);
  const visit = (path) => {
    const entries = readdirSync(join(root, path), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      const inner = `${path}/${entry.name}`;
      if (entry.isDirectory()) visit(inner);
      else hash.update(inner).update(readFileSync(join(root, inner)));
    }
  };
  for (const path of paths) {
    if (statSync(join(root, path)).isDirectory()) visit(path);
    else hash.update(path).update(readFileSync(join(root, path)));
  }
  return hash.digest('hex');
}
