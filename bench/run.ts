/**
 * npm run bench                           lists the benches
 * npm run bench -- NAME [--json FILE]     runs bench/NAME.ts, prints its tables, writes its figures
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nearest } from '../src/core/options.js';
import { describeMachine } from './lib/machine.js';
import { renderReport, toJson } from './lib/report.js';
import type { Bench } from './lib/types.js';

const OPTIONS = {
  json: { type: 'string' },
  rounds: { type: 'string', default: '7' },
  threads: { type: 'string', default: '2' },
  profile: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const USAGE = `npm run bench -- NAME [options]

  --json FILE     also write the figures as JSON
  --rounds N      timed rounds of each contender (7)
  --threads N     threads of each contender where a bench sets them (2)
  --profile       also per-operator time, where a bench has it

Python peers are found through NODE_VAE_PEER_PYTHON, else python3; torch has to be importable there.
`;

class UsageError extends Error {}

function benchNames(): string[] {
  const files = readdirSync(fileURLToPath(new URL('.', import.meta.url)));
  return files.filter((file) => file.endsWith('.ts') && file !== 'run.ts').map((file) => file.slice(0, -3));
}

async function loadBench(name: string): Promise<Bench> {
  return ((await import(`./${name}.ts`)) as { bench: Bench }).bench;
}

async function list(): Promise<void> {
  const names = benchNames();
  const width = Math.max(...names.map((name) => name.length));
  process.stdout.write(`${USAGE}\nBenches:\n`);
  for (const name of names) process.stdout.write(`  ${name.padEnd(width)}  ${(await loadBench(name)).question}\n`);
}

function wholeNumber(text: string, option: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new UsageError(`--${option}: expected a whole number from ${least}, received ${JSON.stringify(text)}.`);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [name, ...more] = positionals;
  if (name === undefined || values.help) return list();
  if (more.length > 0) throw new UsageError(`One bench at a time, received ${positionals.join(', ')}.`);
  const names = benchNames();
  if (!names.includes(name)) {
    const near = nearest(name, names);
    throw new UsageError(`No bench "${name}"; ${near ? `did you mean "${near}"?` : `there are ${names.join(', ')}.`}`);
  }
  const rounds = wholeNumber(values.rounds, 'rounds', 1);
  const threads = wholeNumber(values.threads, 'threads', 1);
  const bench = await loadBench(name);
  const machine = describeMachine(bench.packages);
  const log = (text: string): void => void process.stderr.write(`${text}\n`);
  const result = await bench.run({ threads, rounds, profile: values.profile, log });
  process.stdout.write(`\n${renderReport(name, bench.question, machine, result)}`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(toJson(name, bench.question, machine, result), null, 2)}\n`);
  }
}

main().catch((error: unknown) => {
  const usage = error instanceof UsageError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(usage ? `${(error as Error).message}\n\n${USAGE}` : `${(error as Error).stack ?? error}\n`);
  process.exitCode = usage ? 2 : 1;
});
