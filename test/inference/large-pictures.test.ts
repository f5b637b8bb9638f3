import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Memory of one process is measured where the kernel tells its peak. */
test.runIf(existsSync('/proc/self/clear_refs'))(
  'a picture of 2048 by 2048 needs the memory of a tile',
  async () => {
    const script = here('./fixtures/tiling-memory.ts');
    const model = here('../golden/import/diffusion');
    const args = ['--expose-gc', '--import', 'tsx', script, model, '2048', '192'];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { oneTile, all, output } = JSON.parse(stdout) as { oneTile: number; all: number; output: number };
    // Memory for a tile stays with the runtime, so what comes on top of it is the picture's own. The
    // input was there before.
    expect(oneTile + all).toBeLessThanOrEqual(1.5 * (oneTile + output));
  },
  120_000,
);
