// npm run check:fleet -- [ROUNDS] [SEED]: what test/fleet/chaos.test.ts does for two rounds, for twenty or more of them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [rounds = '20', seed = '1'] = process.argv.slice(2);
const root = fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/fleet/chaos.test.ts'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, NODE_VAE_FLEET_ROUNDS: rounds, NODE_VAE_FLEET_SEED: seed },
});
process.exit(status ?? 1);
