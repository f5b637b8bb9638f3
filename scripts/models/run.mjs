// npm run train-model -- NAME: runs the script that makes models/NAME.
import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const names = readdirSync(dirname(fileURLToPath(import.meta.url)))
  .map((file) => basename(file, '.mjs'))
  .filter((name) => name !== 'run');
const [name] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`Usage: npm run train-model -- NAME, where NAME is one of ${names.join(', ')}`);
  process.exit(2);
}
await import(`./${name}.mjs`);
