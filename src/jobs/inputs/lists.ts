/** Lists of paths: one to a line, or JSON lines with labels and captions. */
import { dirname, isAbsolute, join } from 'node:path';
import { VaeError } from '../../core/errors.js';
import type { OpenInput } from '../places/place.js';
import { isS3 } from '../places/s3.js';
import type { Label } from './items.js';
import { firstLine, textLines } from './rows/json-lines.js';
import { firstOf, NAMES } from './rows/row-file.js';

const PATHS = ['path', 'file', 'file_name', 'filename', 'image', 'audio', 'url'];

export interface ListedPath {
  /** Absolute, or s3://…; as a path within a list, relative to the list's own folder. */
  readonly path: string;
  /** As it stands in the list. */
  readonly name: string;
  readonly label?: Label | undefined;
  readonly caption?: string | undefined;
}

/** Endings of lists. JSON lines are lists where their first line names a path. */
const TEXT_LISTS = /\.(txt|lst|list)$/i;
const JSON_LISTS = /\.(jsonl|ndjson)$/i;

/** Whether a file that was named as an input is a list of others. */
export async function isList(input: OpenInput): Promise<boolean> {
  if (TEXT_LISTS.test(input.path)) return true;
  if (!JSON_LISTS.test(input.path)) return false;
  const line = await firstLine(input);
  const object = line === undefined ? undefined : objectIn(line);
  return object !== undefined && pathIn(object) !== undefined;
}

/** @throws VaeError ERR_VAE_FORMAT for a line that is neither. */
export async function* listedPaths(input: OpenInput, signal?: AbortSignal): AsyncGenerator<ListedPath> {
  let number = 0;
  for await (const text of textLines(input, signal)) {
    number += 1;
    const line = text.replace(/^\ufeff/, '').trim();
    if (line === '') continue;
    const object = line.startsWith('{') ? objectIn(line) : undefined;
    const name = object === undefined ? line : pathIn(object);
    if (name === undefined || name.includes('\0')) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${input.path}, line ${number}: expected a path, or a JSON object with one (${PATHS.join(', ')}).`,
      );
    }
    yield { path: resolveFrom(input.path, name), name, ...notesOf(object) };
  }
}

function resolveFrom(list: string, name: string): string {
  if (isS3(name) || isAbsolute(name)) return name;
  if (isS3(list)) return `${list.slice(0, list.lastIndexOf('/') + 1)}${name.replace(/^\.\//, '')}`;
  return join(dirname(list), name);
}

function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function pathIn(object: Record<string, unknown>): string | undefined {
  const key = firstOf(Object.keys(object), PATHS);
  const value = key === undefined ? undefined : object[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function notesOf(object: Record<string, unknown> | undefined): { label?: Label; caption?: string } {
  if (object === undefined) return {};
  const at = (names: readonly string[]): unknown => {
    const key = firstOf(Object.keys(object), names);
    return key === undefined ? undefined : object[key];
  };
  const label = at(NAMES.labels);
  const caption = at(NAMES.captions);
  return {
    ...((typeof label === 'string' || Number.isSafeInteger(label)) && { label: label as Label }),
    ...(typeof caption === 'string' && { caption }),
  };
}
