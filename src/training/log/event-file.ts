/**
 * TensorBoard's event files: records of length, checksum, message, checksum (TFRecord), each message a
 * tensorflow.Event in protocol buffers (event.proto and summary.proto of TensorFlow name the fields below).
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { crc32c } from './crc32c.js';

/** A number of a step, by its tag. */
export interface Scalar {
  readonly tag: string;
  readonly value: number;
}

/** How values of a step are spread, by its tag. */
export interface Histogram {
  readonly tag: string;
  readonly values: ArrayLike<number>;
}

/** What every event file begins with. */
export function versionEvent(wallTime: number): Uint8Array {
  return event(wallTime, 0).tag(3, WireType.LengthDelimited).string('brain.Event:2').finish();
}

/** Says that a run goes on from `step`: TensorBoard then drops what an earlier file says of later steps. */
export function restartEvent(wallTime: number, step: number): Uint8Array {
  const started = new BinaryWriter().tag(1, WireType.Varint).int32(1).finish();
  return event(wallTime, step).tag(7, WireType.LengthDelimited).bytes(started).finish();
}

export function summaryEvent(
  wallTime: number,
  step: number,
  scalars: readonly Scalar[],
  histograms: readonly Histogram[] = [],
): Uint8Array {
  const summary = new BinaryWriter();
  for (const { tag, value } of scalars) {
    const message = new BinaryWriter().tag(1, WireType.LengthDelimited).string(tag).tag(2, WireType.Bit32).float(value);
    summary.tag(1, WireType.LengthDelimited).bytes(message.finish());
  }
  for (const { tag, values } of histograms) {
    const message = new BinaryWriter().tag(1, WireType.LengthDelimited).string(tag);
    message.tag(5, WireType.LengthDelimited).bytes(histogramMessage(values));
    summary.tag(1, WireType.LengthDelimited).bytes(message.finish());
  }
  return event(wallTime, step).tag(5, WireType.LengthDelimited).bytes(summary.finish()).finish();
}

/** A message with the length and the checksums around it that a record has. */
export function record(message: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(message.length + 16);
  bytes.writeBigUInt64LE(BigInt(message.length), 0);
  bytes.writeUInt32LE(masked(crc32c(bytes.subarray(0, 8))), 8);
  bytes.set(message, 12);
  bytes.writeUInt32LE(masked(crc32c(message)), 12 + message.length);
  return bytes;
}

/** A checksum of data that holds checksums is weak, so TFRecord stores it rotated and shifted. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function event(wallTime: number, step: number): BinaryWriter {
  const writer = new BinaryWriter().tag(1, WireType.Bit64).double(wallTime);
  return step === 0 ? writer : writer.tag(2, WireType.Varint).int64(step);
}

const BUCKETS = 30;

/** tensorflow.HistogramProto with buckets of equal width. */
function histogramMessage(values: ArrayLike<number>): Uint8Array {
  const all = Float64Array.from(values);
  const min = all.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const max = all.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const width = (max - min) / BUCKETS || 1;
  const counts = new Float64Array(BUCKETS);
  for (const value of all) counts[Math.min(BUCKETS - 1, Math.floor((value - min) / width))]! += 1;
  const message = new BinaryWriter();
  const sum = all.reduce((total, value) => total + value, 0);
  const squares = all.reduce((total, value) => total + value * value, 0);
  for (const [field, value] of [min, max, all.length, sum, squares].entries()) {
    message.tag(field + 1, WireType.Bit64).double(value);
  }
  const packed = (field: number, numbers: Iterable<number>): void => {
    message.tag(field, WireType.LengthDelimited).fork();
    for (const value of numbers) message.double(value);
    message.join();
  };
  packed(
    6,
    counts.map((_, bucket) => min + (bucket + 1) * width),
  );
  packed(7, counts);
  return message.finish();
}
