// dist/ of this package: the page, made by Vite. What it is made of is not installed with the package.
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const here = fileURLToPath(new URL('.', import.meta.url));

await build({
  root: `${here}page`,
  configFile: false,
  // The page lies wherever it is put: at the root of its server, or in a folder of a web site.
  base: './',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es' },
  build: {
    outDir: `${here}dist`,
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    chunkSizeWarningLimit: 1000,
    assetsDir: 'assets',
  },
});
