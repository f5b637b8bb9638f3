/** Bundlers, test runners and other runtimes with the settings that the guides give, installed for the occasion. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from './execute.js';
import { npm, PACKAGE_ROOT, projectWith, succeed } from './packed.js';

const npx = npm.replace('npm', 'npx');
const PROGRAM = `import { interpolate, Vae } from 'node-vae';
const vae = await Vae.load('mnist-mlp');
const { mean } = await vae.encode(new Float32Array(784));
console.log(mean.dims.join(), typeof interpolate);
await vae.close();
`;
const PRINTED = '1,20 function\n';

export interface ToolCheck {
  readonly name: string;
  run(folder: string, tarball: string): Promise<void>;
}

/** The first block of JavaScript below a heading of a guide. */
async function block(guide: string, heading: string): Promise<string> {
  const page = await readFile(join(PACKAGE_ROOT, 'docs', 'guides', `${guide}.md`), 'utf8');
  const section = page.slice(page.indexOf(`\n## ${heading}\n`));
  return /```js\n([\s\S]*?)```/.exec(section)![1]!;
}

async function prints(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { stdout } = await succeed(execute(command, args, { cwd }));
  if (stdout !== PRINTED) throw new Error(`printed ${stdout}, expected ${PRINTED}`);
}

/** A project of modules with the package and these. */
async function moduleProject(folder: string, packages: readonly string[]): Promise<void> {
  await projectWith(folder, packages);
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...manifest, type: 'module' }));
}

function jest(version: number): ToolCheck {
  return {
    name: `Jest ${version}`,
    async run(folder, tarball) {
      await moduleProject(folder, [tarball, `jest@${version}`, `@jest/globals@${version}`]);
      await writeFile(join(folder, 'jest.config.mjs'), await block('testing', 'Jest 29 and 30'));
      const tests = (await block('testing', 'vitest')).replace(
        /import \{ afterAll.*\n/,
        "import { jest as vi } from '@jest/globals';\n",
      );
      await writeFile(join(folder, 'encode.test.mjs'), tests);
      const finished = await succeed(
        execute(npx, ['jest', '--detectOpenHandles'], {
          cwd: folder,
          env: { NODE_OPTIONS: '--experimental-vm-modules' },
        }),
      );
      if (!/Tests: +2 passed/.test(finished.stderr) || finished.stderr.includes('open handle')) {
        throw new Error(finished.stderr);
      }
    },
  };
}

export const TOOLS: readonly ToolCheck[] = [
  {
    name: 'webpack',
    async run(folder, tarball) {
      await moduleProject(folder, [tarball, 'webpack', 'webpack-cli']);
      await mkdir(join(folder, 'src'));
      await writeFile(join(folder, 'src', 'index.js'), PROGRAM);
      await writeFile(join(folder, 'webpack.config.js'), await block('bundling', 'webpack'));
      await succeed(execute(npx, ['webpack', '--mode', 'production'], { cwd: folder }));
      await prints(process.execPath, ['dist/main.js'], folder);
    },
  },
  {
    name: 'Rollup',
    async run(folder, tarball) {
      await moduleProject(folder, [tarball, 'rollup']);
      await writeFile(join(folder, 'server.js'), PROGRAM);
      await writeFile(join(folder, 'rollup.config.js'), await block('bundling', 'Rollup'));
      await succeed(execute(npx, ['rollup', '-c'], { cwd: folder }));
      await prints(process.execPath, ['dist/server.js'], folder);
    },
  },
  {
    name: 'Next.js, standalone',
    async run(folder, tarball) {
      await projectWith(folder, [tarball, 'next', 'react', 'react-dom']);
      await mkdir(join(folder, 'app', 'api', 'encode'), { recursive: true });
      await writeFile(join(folder, 'next.config.mjs'), await block('bundling', 'Next.js'));
      await writeFile(
        join(folder, 'app', 'layout.js'),
        'export default function Layout({ children }) { return <html><body>{children}</body></html>; }\n',
      );
      await writeFile(join(folder, 'app', 'page.js'), 'export default function Page() { return <p>here</p>; }\n');
      await writeFile(
        join(folder, 'app', 'api', 'encode', 'route.js'),
        `import { Vae } from 'node-vae';
        export const dynamic = 'force-dynamic';
        export async function GET() {
          const vae = await Vae.load('mnist-mlp');
          const { mean } = await vae.encode(new Float32Array(784));
          await vae.close();
          return Response.json(mean.dims);
        }\n`,
      );
      await succeed(execute(npx, ['next', 'build'], { cwd: folder, env: { NEXT_TELEMETRY_DISABLED: '1' } }));
      // Elsewhere, so that nothing but what was traced is found.
      const alone = `${folder}-alone`;
      await cp(join(folder, '.next', 'standalone'), alone, { recursive: true, verbatimSymlinks: true });
      const program = `process.env.PORT = '0'; process.env.HOSTNAME = '127.0.0.1';
        const { Server } = require('node:net');
        const original = Server.prototype.listen;
        Server.prototype.listen = function (...args) {
          this.once('listening', async () => {
            const answer = await fetch('http://127.0.0.1:' + this.address().port + '/api/encode');
            console.log(answer.status, await answer.text());
            process.exit(answer.ok ? 0 : 1);
          });
          return original.apply(this, args);
        };
        require('./server.js');\n`;
      await writeFile(join(alone, 'ask.cjs'), program);
      const { stdout } = await succeed(execute(process.execPath, ['ask.cjs'], { cwd: alone }));
      if (!stdout.includes('200 [1,20]')) throw new Error(stdout);
    },
  },
  jest(29),
  jest(30),
  {
    name: 'Deno',
    async run(folder, tarball) {
      await moduleProject(folder, [tarball]);
      await writeFile(join(folder, 'server.js'), PROGRAM);
      await prints(npx, ['-y', 'deno', 'run', '-A', 'server.js'], folder);
    },
  },
  {
    name: 'Bun',
    async run(folder, tarball) {
      await moduleProject(folder, [tarball]);
      await writeFile(join(folder, 'server.js'), PROGRAM);
      // Its package is a script that fetches nothing, and puts the program of this platform in its place. npm no longer
      // runs that of itself.
      const own = join(folder, 'bun');
      await projectWith(own, ['bun']);
      await succeed(execute(process.execPath, ['install.js'], { cwd: join(own, 'node_modules', 'bun') }));
      const { stdout } = await succeed(
        execute(join(own, 'node_modules', '.bin', 'bun'), ['server.js'], { cwd: folder }),
      );
      if (stdout !== PRINTED) throw new Error(`printed ${stdout}, expected ${PRINTED}`);
    },
  },
];
