/**
 * Where the files of a .tar lie, without reading them: headers alone. Formats: POSIX.1-2001 (pax) and ustar, and the long
 * names of GNU tar.
 */
import { VaeError } from '../../core/errors.js';
import type { OpenInput } from '../places/place.js';

export interface TarMember {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

const BLOCK = 512;
/** Long names and their like are at most so long. */
const MOST_EXTRA = 1 << 20;
/** Read at once where headers lie near each other. */
const WINDOW = 1 << 18;

/** @throws VaeError ERR_VAE_FORMAT for what is no .tar, or a damaged one. */
async function* tarMembers(input: OpenInput, signal?: AbortSignal): AsyncGenerator<TarMember> {
  const read = windowed(input, signal);
  let at = 0;
  let longName: string | undefined;
  let pax: Readonly<Record<string, string>> = {};
  let any = false;
  while (at + BLOCK <= input.size) {
    const header = await read(at, BLOCK);
    if (header.every((byte) => byte === 0)) return;
    if (checksumOf(header) !== octal(header, 148, 8)) {
      const what = any ? `damaged at byte ${at}` : 'no .tar file; compressed ones are unpacked first (gunzip)';
      throw new VaeError('ERR_VAE_FORMAT', `${input.path}: ${what}.`);
    }
    any = true;
    const stored = pax['size'] === undefined ? octal(header, 124, 12) : Number(pax['size']);
    const type = String.fromCharCode(header[156]!);
    const data = at + BLOCK;
    if (!Number.isSafeInteger(stored) || stored < 0 || data + stored > input.size) {
      throw new VaeError('ERR_VAE_FORMAT', `${input.path}: is cut off: the file at byte ${at} is not all there.`);
    }
    if (type === 'x' || type === 'L' || type === 'g') {
      if (stored > MOST_EXTRA) throw new VaeError('ERR_VAE_FORMAT', `${input.path}: has a name of ${stored} bytes.`);
      const extra = await read(data, stored);
      if (type === 'x') pax = paxRecords(extra);
      else if (type === 'L') longName = text(extra);
    } else {
      const prefix = text(header.subarray(257, 262)) === 'ustar' ? text(header.subarray(345, 500)) : '';
      const own = text(header.subarray(0, 100));
      const name = pax['path'] ?? longName ?? (prefix === '' ? own : `${prefix}/${own}`);
      longName = undefined;
      pax = {};
      if (type === '0' || type === '\0' || type === '7') yield { name, offset: data, length: stored };
    }
    at = data + Math.ceil(stored / BLOCK) * BLOCK;
  }
}

/** Reads what lies ahead with it: many headers are a few hundred bytes from each other. */
function windowed(
  input: OpenInput,
  signal: AbortSignal | undefined,
): (at: number, length: number) => Promise<Uint8Array> {
  let start = 0;
  let held: Uint8Array = new Uint8Array();
  return async (at, length) => {
    if (at < start || at + length > start + held.length) {
      start = at;
      held = await input.read(at, Math.min(Math.max(length, WINDOW), input.size - at), signal);
    }
    return held.subarray(at - start, at - start + length);
  };
}

function checksumOf(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 0x20 : header[at]!;
  return sum;
}

/** Octal digits, or GNU's binary form of large numbers. */
function octal(header: Uint8Array, start: number, length: number): number {
  if ((header[start]! & 0x80) !== 0) {
    let value = 0;
    for (let at = start + 1; at < start + length; at += 1) value = value * 256 + header[at]!;
    return value;
  }
  const digits = text(header.subarray(start, start + length)).trim();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

/** `LENGTH key=value` and a line end, again and again; the length counts all of it. */
function paxRecords(bytes: Uint8Array): Record<string, string> {
  const records: Record<string, string> = Object.create(null);
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(Buffer.from(bytes.subarray(at, space < 0 ? at : space)).toString('latin1'));
    if (!Number.isSafeInteger(length) || length < 5 || at + length > bytes.length) break;
    const record = Buffer.from(bytes.subarray(space + 1, at + length - 1)).toString('utf8');
    const equals = record.indexOf('=');
    if (equals > 0) records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

export interface TarSample {
  readonly key: string;
  readonly members: Readonly<Record<string, readonly [number, number]>>;
}

/** Files that stand together under one name: WebDataset's samples. The name ends at the first dot behind its last folder. */
export async function* tarSamples(input: OpenInput, signal?: AbortSignal): AsyncGenerator<TarSample> {
  let key: string | undefined;
  let members: Record<string, readonly [number, number]> = Object.create(null);
  for await (const { name, offset, length } of tarMembers(input, signal)) {
    const base = name.lastIndexOf('/') + 1;
    const dot = name.indexOf('.', base);
    // Hidden files and files without ending are no parts of samples; macOS puts ._NAME beside each.
    if (dot <= base || name.slice(base).startsWith('.')) continue;
    const own = name.slice(0, dot);
    if (own !== key) {
      if (key !== undefined) yield { key, members };
      key = own;
      members = Object.create(null);
    }
    members[name.slice(dot + 1).toLowerCase()] = [offset, length];
  }
  if (key !== undefined) yield { key, members };
}
