// npm run check:jobs -- MINUTES [FIRST SEED]: what test/jobs does for a minute, for as long as that; tells the count.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [minutes = '60', seed = '1'] = process.argv.slice(2);
const root = fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/jobs'], {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    NODE_VAE_JOBS_SECONDS: String(60 * Number(minutes)),
    NODE_VAE_JOBS_SEED: seed,
    NODE_VAE_JOBS_ROUNDS: '1000000',
  },
});
process.exit(status ?? 1);
