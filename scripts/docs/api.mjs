// Writes docs/api from the docstrings of the public entries: npm run docs:api
//
// typedoc needs a TypeScript with a compiler API, which the one this project builds with does not have;
// so it comes with its own, for this run only.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = Object.values(exports)
  .filter((entry) => typeof entry === 'object' && entry.types.startsWith('./dist/'))
  .map(({ types }) => types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts'));

const options = {
  out: join(root, 'docs/api'),
  tsconfig: join(root, 'tsconfig.json'),
  name: 'node-vae',
  readme: 'none',
  // One page for each member of an entry.
  outputFileStrategy: 'members',
  entryFileName: 'README',
  excludePrivate: true,
  excludeProtected: true,
  excludeInternal: true,
  excludeExternals: true,
  // A signature that names what nobody can import.
  treatValidationWarningsAsErrors: true,
  disableSources: true,
  hidePageHeader: true,
  hideBreadcrumbs: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  useCodeBlocks: false,
  skipErrorChecking: true,
  'validation.notExported': true,
  logLevel: 'Warn',
};
const plugins = ['typedoc-plugin-markdown', join(root, 'scripts/docs/expand.mjs')];
const flags = [...plugins.map((plugin) => ['plugin', plugin]), ...Object.entries(options)].flatMap(([name, value]) => [
  `--${name}`,
  String(value),
]);
const packages = ['typedoc@~0.28.20', 'typedoc-plugin-markdown@~4.14.1', 'typescript@~5.9.3'];

execFileSync('npx', ['-y', ...packages.flatMap((name) => ['-p', name]), 'typedoc', ...flags, ...entries], {
  cwd: root,
  stdio: 'inherit',
});
