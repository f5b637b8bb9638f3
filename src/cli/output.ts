/** The result on stdout, everything else on stderr. */
import type { Failure } from './errors.js';
import type { CommandResult } from './result.js';

export function printResult({ data, rows, onStderr }: CommandResult, json: boolean): void {
  (onStderr ? process.stderr : process.stdout).write(json ? `${toJson(data)}\n` : table(rows));
}

export function printError(failure: Failure, json: boolean): void {
  if (json) process.stdout.write(`${toJson({ error: failure })}\n`);
  const detail = failure.stack ? `\n${failure.stack}` : '';
  process.stderr.write(`${failure.code}: ${failure.message}${detail}\n`);
}

/** Data itself on standard output, once the reader has room for it. */
export function writeBytes(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

/** A line for people: on stderr, so that stdout stays the result's. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Names and values in two columns. */
function table(rows: CommandResult['rows']): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

/** 60000 as "60,000". */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** JSON has no integers beyond 2^53, no NaN and no typed arrays. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item === 'bigint') return item <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(item) : String(item);
    return ArrayBuffer.isView(item) ? Array.from(item as Float32Array) : item;
  });
}

/** What was typed, as a shell takes it. */
export function commandLine(): string {
  const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  return ['node-vae', ...process.argv.slice(2).map(quoted)].join(' ');
}
