/** Reads a folder of event files as TensorBoard's EventAccumulator does; held against what that read, in test/golden/tensorboard. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { crc32c } from '../../../src/training/log/crc32c.js';

export interface Events {
  /** By tag, [step, value] of each. */
  readonly scalars: Record<string, [step: number, value: number][]>;
  /** By tag, [step, count of values, their sum, sum of the buckets] of each. */
  readonly histograms: Record<string, [step: number, count: number, sum: number, buckets: number][]>;
}

export async function readEvents(folder: string): Promise<Events> {
  const events: Events = { scalars: {}, histograms: {} };
  for (const name of (await readdir(folder)).sort()) {
    for (const message of recordsOf(await readFile(join(folder, name)))) addEvent(message, events);
  }
  return events;
}

function* recordsOf(bytes: Buffer): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    check(bytes.subarray(at, at + 8), bytes.readUInt32LE(at + 8));
    const message = bytes.subarray(at + 12, at + 12 + length);
    check(message, bytes.readUInt32LE(at + 12 + length));
    yield message;
    at += length + 16;
  }
}

/** TFRecord rotates a checksum by 15 bits and adds a constant to it. */
function check(bytes: Uint8Array, stored: number): void {
  const turned = (stored - 0xa282ead8) >>> 0;
  if (((turned << 15) | (turned >>> 17)) >>> 0 !== crc32c(bytes)) throw new Error('a checksum does not fit');
}

type Field = readonly [field: number, value: number | Uint8Array];

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) yield [field, Number(reader.int64())];
    else if (type === WireType.Bit64) yield [field, reader.double()];
    else if (type === WireType.Bit32) yield [field, reader.float()];
    else yield [field, reader.bytes()];
  }
}

function addEvent(message: Uint8Array, { scalars, histograms }: Events): void {
  const fields = new Map(fieldsOf(message));
  const step = (fields.get(2) as number | undefined) ?? 0;
  const session = fields.get(7) as Uint8Array | undefined;
  // A session that starts at a step takes the place of what was said from there on.
  if (session !== undefined && new Map(fieldsOf(session)).get(1) === 1) {
    for (const kind of [scalars, histograms] as Record<string, [number, ...number[]][]>[]) {
      for (const [tag, points] of Object.entries(kind)) kind[tag] = points.filter(([earlier]) => earlier < step);
    }
  }
  for (const [, value] of fieldsOf((fields.get(5) as Uint8Array | undefined) ?? new Uint8Array())) {
    const parts = new Map(fieldsOf(value as Uint8Array));
    const tag = Buffer.from(parts.get(1) as Uint8Array).toString();
    const histogram = parts.get(5) as Uint8Array | undefined;
    if (histogram === undefined) scalars[tag] = [...(scalars[tag] ?? []), [step, parts.get(2) as number]];
    else histograms[tag] = [...(histograms[tag] ?? []), [step, ...histogramOf(histogram)]];
  }
}

function histogramOf(message: Uint8Array): [count: number, sum: number, buckets: number] {
  const fields = new Map(fieldsOf(message));
  const packed = Buffer.from(fields.get(7) as Uint8Array);
  let buckets = 0;
  for (let at = 0; at < packed.length; at += 8) buckets += packed.readDoubleLE(at);
  return [fields.get(3) as number, fields.get(4) as number, buckets];
}
