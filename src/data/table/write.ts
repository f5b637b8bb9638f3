import { writeFilesAtomically } from '../../core/files.js';
import type { TableRow } from './rows.js';

/**
 * Writes rows as CSV, or as JSON lines where the path ends in .jsonl or .ndjson.
 *
 * @throws VaeError ERR_VAE_IO where the file cannot be written.
 */
export async function writeTable(path: string, rows: readonly TableRow[]): Promise<void> {
  const lines = /\.(jsonl|ndjson)$/i.test(path) ? rows.map((row) => JSON.stringify(row)) : csvLines(rows);
  await writeFilesAtomically([{ path, chunks: [Buffer.from(`${lines.join('\n')}\n`)] }]);
}

function csvLines(rows: readonly TableRow[]): string[] {
  const names = Object.keys(rows[0] ?? {});
  return [names.map(quoted).join(','), ...rows.map((row) => names.map((name) => quoted(row[name])).join(','))];
}

/** RFC 4180, section 2. */
function quoted(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return '';
  const text = String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
