// `npm run lint`: Biome, the order of imports, unused exports. Every check runs, whatever the others say.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { checkImports } from './imports.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const results = await Promise.all([
  run(['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']),
  run(['node_modules/knip/bin/knip.js', '--no-progress']),
  checkImports(root),
]);
process.exit(results.every(Boolean) ? 0 : 1);

/** Whether a tool has nothing to say; what it says is shown whole, when it is done. */
function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      if (code !== 0) console.error(output);
      resolve(code === 0);
    });
  });
}
