// dist/ of this package: ECharts in one file, and the fonts. What it is made of is not installed with it.
import { cp, mkdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));

await rm(join(here, 'dist'), { recursive: true, force: true });
await mkdir(join(here, 'dist'));
await build({
  absWorkingDir: here,
  entryPoints: ['src/index.js'],
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  external: ['@resvg/resvg-js'],
  legalComments: 'linked',
  logLevel: 'warning',
});
for (const name of ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'])
  await cp(join(fonts, 'ttf', name), join(here, 'dist', name));
await cp(join(fonts, 'LICENSE'), join(here, 'dist', 'DejaVu-LICENSE'));
