/** Batches as users give them, seen as float32 rows for a graph. */
import { types } from 'node:util';
import { BYTE_SCALE } from '../../architectures/input.js';
import type { NativeTensor } from '../../binding/addon.js';
import { elementCount, type TypedArray } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import type { TensorLike } from '../../core/tensor.js';
import { Dataset } from '../../data/dataset.js';
import { denseRows } from '../../data/dense-rows.js';
import { checkDomain, type Domain, REAL } from '../../data/domain.js';
import { layoutHint } from '../../data/row-shape.js';
import type { NestedRows } from '../../data/stack.js';
import { toRowArray } from '../../data/values.js';
import type { ByteRange } from '../networks.js';
import type { Feeds } from '../sessions/session.js';
import type { LabelledArray } from './labels.js';
import type { Scratch } from './scratch.js';

/**
 * Rows in memory in any form: a Tensor, an array with a shape, a bare array of one row or many, or rows of numbers.
 * One row may come without an axis of rows.
 */
export type RowsInput = TensorLike | LabelledArray | TypedArray | NestedRows;

/** What encode, reconstruct and score take: a batch of examples, or a whole dataset. */
export type BatchInput = RowsInput | Dataset;

export interface RowReader {
  readonly rows: number;
  /** Shape of one row. */
  readonly rowShape: readonly number[];
  /** Values that rows may hold. Not given: any number. */
  readonly domain?: Domain | undefined;
  /**
   * Rows `from` to `to` as float32 [to − from, ...shape]: borrowed where they lie in memory as float32. `scratch` is where
   * they may be converted into, if the caller is done with them before its next use.
   */
  read(from: number, to: number, scratch?: Scratch): NativeTensor | Promise<NativeTensor>;
  /**
   * As read(), for rows that lie in memory as float32, but before anything looked at their values: the
   * run has to. Absent where there are none.
   */
  readonly borrow?: ((from: number, to: number) => NativeTensor) | undefined;
  /** @throws VaeError ERR_VAE_DATA for NaN or infinity in borrowed rows, the first of which is row `from`. */
  readonly check?: ((rows: NativeTensor, from: number) => void) | undefined;
  /** What else the graph is fed with these rows. */
  readonly feeds?: ((from: number, to: number) => Feeds) | undefined;
  /** One row as it is stored. */
  stored(row: number): TypedArray | Promise<TypedArray>;
  /** Copies part of what `stored` gave as float32: `count` elements from `at`, into `into` from `to`. */
  convert(stored: TypedArray, at: number, count: number, into: Float32Array, to: number): void;
}

export interface RowOptions {
  /** How 8-bit values are read. Default: as fractions of 255. */
  readonly bytes?: ByteRange | undefined;
  /** Values that rows may hold. Default: any number. */
  readonly domain?: Domain | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** 8-bit values as fractions of 255. */
export const FRACTIONS: ByteRange = { scale: BYTE_SCALE, offset: 0 };

/**
 * Checks the shape of a batch and gives its rows piece by piece.
 *
 * @param shape of one row, −1 on an axis of any size.
 * @throws VaeError ERR_VAE_SHAPE where rows have another shape, ERR_VAE_DATA for NaN, infinity or no rows.
 */
export function readRows(
  input: BatchInput,
  shape: readonly number[],
  where: string,
  { bytes = FRACTIONS, domain = REAL, signal }: RowOptions = {},
): RowReader {
  if (input instanceof Dataset)
    return new DatasetRows(input, checkRowShape(input.rowShape, shape, where), bytes, domain, where, signal);
  const dense = denseRows(input, { rowShape: shape }, where);
  if (dense === undefined) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected a Tensor, { data, shape }, rows of numbers or a Dataset, received ${describeValue(input)}.` +
        (types.isAnyArrayBuffer(input)
          ? ' Say what its bytes are: new Float32Array(buffer), or new Uint8Array(buffer).'
          : ''),
    );
  }
  const { data: stored, dtype } = dense;
  const dims = withRowAxis(dense.dims, shape);
  const rows = dims[0] ?? 0;
  const rowShape = checkRowShape(dims.slice(1), shape, where);
  if (rows === 0) throw new VaeError('ERR_VAE_DATA', `${where}: the batch is empty.`);
  // float64 is converted in pieces; other types are rare, and read as toDataset() reads them.
  const data = stored instanceof Float64Array ? stored : toRowArray(stored, dtype);
  return data instanceof Float32Array
    ? new FloatRows(data, rows, rowShape, bytes, domain, where)
    : new MemoryRows(data, rows, rowShape, bytes, domain, where);
}

/** Rows one after another in memory. A class, since readers are made for every single request. */
class MemoryRows<Data extends TypedArray = TypedArray> implements RowReader {
  protected readonly width: number;

  constructor(
    protected readonly data: Data,
    readonly rows: number,
    readonly rowShape: readonly number[],
    protected readonly bytes: ByteRange,
    readonly domain: Domain,
    protected readonly where: string,
  ) {
    this.width = elementCount(rowShape);
  }

  read(from: number, to: number, scratch?: Scratch): NativeTensor {
    return toFloat32(this.part(from, to), from, to, this.rowShape, this.bytes, this.domain, this.where, scratch);
  }

  stored(row: number): TypedArray {
    return this.part(row, row + 1);
  }

  convert(stored: TypedArray, at: number, count: number, into: Float32Array, to: number): void {
    copyAsFloats(stored, at, count, into, to, byteTable(this.bytes), this.where);
  }

  /** The array itself where it is all of it: views take time to make. */
  protected part(from: number, to: number): TypedArray {
    if (from === 0 && to === this.rows) return this.data;
    return this.data.subarray(from * this.width, to * this.width);
  }
}

class FloatRows extends MemoryRows<Float32Array> {
  borrow(from: number, to: number): NativeTensor {
    return { dtype: 'float32', dims: [to - from, ...this.rowShape], data: this.part(from, to) };
  }

  check(rows: NativeTensor, from: number): void {
    checkDomain(rows.data as Float32Array, this.domain, { firstRow: from, width: this.width, where: this.where });
  }
}

class DatasetRows implements RowReader {
  readonly rows: number;

  constructor(
    private readonly data: Dataset,
    readonly rowShape: readonly number[],
    private readonly bytes: ByteRange,
    readonly domain: Domain,
    private readonly where: string,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.rows = data.length;
  }

  async read(from: number, to: number, scratch?: Scratch): Promise<NativeTensor> {
    const wanted = Uint32Array.from({ length: to - from }, (_, index) => from + index);
    const data = await this.data.read(wanted, this.signal);
    return toFloat32(data, from, to, this.rowShape, this.bytes, this.domain, this.where, scratch);
  }

  stored(row: number): Promise<TypedArray> {
    return this.data.read([row], this.signal);
  }

  convert(stored: TypedArray, at: number, count: number, into: Float32Array, to: number): void {
    copyAsFloats(stored, at, count, into, to, byteTable(this.bytes), this.where);
  }
}

/** Rows that were checked already, but for NaN and infinity: the run that they are for looks for those. */
export function checkedRows(
  data: Float32Array,
  rows: number,
  rowShape: readonly number[],
  where: string,
  feeds: RowReader['feeds'],
  domain: Domain = REAL,
): RowReader {
  const reader = new FloatRows(data, rows, rowShape, FRACTIONS, domain, where);
  return feeds === undefined ? reader : withMembers(reader, { feeds });
}

/** The same rows with other members in place of theirs. */
export function withMembers(reader: RowReader, members: Partial<RowReader>): RowReader {
  return Object.assign(Object.create(reader) as RowReader, members);
}

/** One row by itself, and numbers one after another, as people try them first, as a batch. */
function withRowAxis(dims: readonly number[], expected: readonly number[]): readonly number[] {
  if (fitRowShape(dims.slice(1), expected) !== undefined) return dims;
  if (fitRowShape(dims, expected) !== undefined) return [1, ...dims];
  const size = elementCount(expected);
  if (dims.length === 1 && !expected.includes(-1) && dims[0]! > 0 && dims[0]! % size === 0) {
    return [dims[0]! / size, ...expected];
  }
  return dims;
}

/**
 * Rows may come flattened where their shape is fixed; any other shape is refused.
 *
 * @returns the shape of a row.
 */
export function checkRowShape(
  received: readonly number[],
  expected: readonly number[],
  where: string,
): readonly number[] {
  const fitting = fitRowShape(received, expected);
  if (fitting !== undefined) return fitting;
  const names = expected.map((dim) => (dim === -1 ? 'any' : dim)).join(', ');
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: expected shape [N, ${names}], received [N${received.map((dim) => `, ${dim}`).join('')}].${layoutHint(received, expected) ?? ''}`,
  );
}

/** As checkRowShape(); undefined where a row does not fit. */
function fitRowShape(received: readonly number[], expected: readonly number[]): readonly number[] | undefined {
  if (received.length === expected.length) {
    const fits = received.every((dim, axis) => (expected[axis] === -1 ? dim > 0 : dim === expected[axis]));
    if (fits) return received;
  } else if (received.length === 1 && !expected.includes(-1) && received[0] === elementCount(expected)) {
    return expected;
  }
  // A single channel may be left out, as files of grey pictures do.
  if (expected[0] === 1 && received.length === expected.length - 1) {
    return fitRowShape([1, ...received], expected);
  }
  return undefined;
}

function toFloat32(
  data: TypedArray,
  from: number,
  to: number,
  shape: readonly number[],
  bytes: ByteRange,
  domain: Domain,
  where: string,
  scratch?: Scratch,
): NativeTensor {
  let values: Float32Array;
  if (data instanceof Float32Array) {
    values = data;
  } else {
    values = scratch?.array(data.length) ?? new Float32Array(data.length);
    copyAsFloats(data, 0, data.length, values, 0, byteTable(bytes), where);
  }
  // Bytes are within every range, and on every level where there are 256.
  const sure = data instanceof Uint8Array && (domain.kind !== 'levels' || domain.levels === 256);
  if (!sure) checkDomain(values, domain, { firstRow: from, width: elementCount(shape), where });
  return { dtype: 'float32', dims: [to - from, ...shape], data: values };
}

const tables = new Map<string, Float32Array>();

/** What each byte stands for; made once for each range. */
function byteTable({ scale, offset }: ByteRange): Float32Array {
  const key = `${scale},${offset}`;
  let table = tables.get(key);
  if (table === undefined) {
    table = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte * scale + offset));
    tables.set(key, table);
  }
  return table;
}

function copyAsFloats(
  from: TypedArray,
  at: number,
  count: number,
  into: Float32Array,
  to: number,
  table: Float32Array,
  where: string,
): void {
  if (from instanceof Float32Array || from instanceof Float64Array) {
    into.set(count === from.length ? from : from.subarray(at, at + count), to);
  } else if (from instanceof Uint8Array || from instanceof Uint8ClampedArray) {
    for (let index = 0; index < count; index += 1) into[to + index] = table[from[at + index]!]!;
  } else {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected float32, float64 or uint8 values, received ${from.constructor.name}; convert it first.`,
    );
  }
}
