// Writes schemas/train-config.schema.json from the options' own schemas, with their comments as descriptions.
// Usage: npx tsx scripts/write-config-schema.ts. A test says when it is out of date.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { trainConfigJsonSchema } from '../src/vae/train-config.js';

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Files whose schemas make up each section. */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  model: ['src/architectures/vae-network.ts', 'src/vae/options.ts'],
  fit: ['src/training/fit-options.ts'],
};

/** Comments that stand before `name: z…` or `name: fooSchema`, by section and name; the first of a name wins. */
function commentsOf(files: readonly string[]): Map<string, string> {
  const comments = new Map<string, string>();
  for (const file of files) {
    const source = readFileSync(at(file), 'utf8');
    for (const [, comment, name] of source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*?)\*\/\s*(\w+): (?:z\b|\w+Schema)/g)) {
      const text = comment!
        .replace(/^\s*\* ?/gm, '')
        .replace(/\s+/g, ' ')
        .trim();
      if (!comments.has(name!)) comments.set(name!, text);
    }
  }
  return comments;
}

export function renderConfigSchema(): string {
  const comments = new Map(Object.entries(SOURCES).map(([section, files]) => [section, commentsOf(files)]));
  const schema = trainConfigJsonSchema(([section, ...path]) => comments.get(section!)?.get(path.at(-1) ?? ''));
  return `${JSON.stringify(schema, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(at('schemas'), { recursive: true });
  writeFileSync(at('schemas/train-config.schema.json'), renderConfigSchema());
}
