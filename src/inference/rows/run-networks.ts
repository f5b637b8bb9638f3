/** Encoding and decoding of rows by the two networks of a VAE, whatever their outputs look like. */
import type { NativeAbortFlag } from '../../binding/addon.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { dataShapeFor, type LatentScaling, latentShapeFor, type Networks, POINT_LOG_VARIANCE } from '../networks.js';
import type { GraphSession, WantedOutput } from '../sessions/session.js';
import { allocate, type PieceOutput, type Port, rowsPerRun, runPiece } from './pieces.js';
import { type RowReader, withMembers } from './rows.js';
import { runTiled } from './run-tiled.js';
import { Scratch } from './scratch.js';
import type { Tiling } from './tiling.js';

export interface Work {
  readonly networks: Networks;
  readonly session: GraphSession;
  readonly reader: RowReader;
  readonly flag?: NativeAbortFlag | undefined;
  readonly tiling?: Tiling | undefined;
  /** Rows of one run at most. */
  readonly maxRows?: number | undefined;
  /** The call, for error messages. */
  readonly where: string;
}

export interface PosteriorRows {
  readonly mean: Float32Array;
  readonly logVariance: Float32Array;
  /** [rows, ...latent] */
  readonly dims: readonly number[];
}

/** Arrays of the caller to write into; each must have the right length. */
export interface EncodeTarget {
  readonly mean?: Float32Array | undefined;
  readonly logVariance?: Float32Array | undefined;
}

export async function encodeRows(work: Work, target: EncodeTarget = {}): Promise<PosteriorRows> {
  const { networks, reader, where } = work;
  const latentShape = latentShapeFor(networks, reader.rowShape, where);
  const mean = claim(target.mean, 'into.mean', reader.rows, latentShape, where);
  const logVariance = claim(target.logVariance, 'into.logVariance', reader.rows, latentShape, where);
  const dims = [reader.rows, ...latentShape];
  const { scaling, logVarianceRange } = networks;
  const { posterior } = networks.encoder;
  const direct = posterior.kind === 'pair' && scaling === undefined && logVarianceRange === undefined;
  if (direct && isOneRun(work, networks.encoder, latentShape)) {
    await runOnce(work, networks.encoder, [
      { name: posterior.mean, into: mean, dims },
      { name: posterior.logVariance, into: logVariance, dims },
    ]);
    return { mean, logVariance, dims };
  }
  const raw = rawPosterior(networks, latentShape);
  const size = elementCount(latentShape);
  if (direct) {
    const targets = [mean, logVariance];
    await eachPiece(work, true, raw, (from, to) => targets.map((all) => part(all, from, to, size)));
  } else {
    const scratch: Float32Array[] = [];
    await eachPiece(
      work,
      true,
      raw,
      (from, to) =>
        raw.map(({ rowShape }, index) => {
          const length = (to - from) * elementCount(rowShape);
          if (scratch[index] === undefined || scratch[index].length < length) scratch[index] = new Float32Array(length);
          return scratch[index].subarray(0, length);
        }),
      (from, to, values) => {
        splitPosterior(networks, values, size, part(mean, from, to, size), part(logVariance, from, to, size));
      },
    );
  }
  return { mean, logVariance, dims };
}

export async function decodeRows(
  work: Work,
  target?: Float32Array,
): Promise<{ data: Float32Array; dims: readonly number[] }> {
  const { networks, reader, where } = work;
  const dataShape = dataShapeFor(networks, reader.rowShape);
  const data = claim(target, 'into', reader.rows, dataShape, where);
  const dims = [reader.rows, ...dataShape];
  const { scaling, decoder } = networks;
  if (scaling === undefined && isOneRun(work, decoder, dataShape)) {
    await runOnce(work, decoder, [{ name: decoder.output, into: data, dims }]);
    return { data, dims };
  }
  const size = elementCount(dataShape);
  const raw = [{ name: decoder.output, rowShape: dataShape }];
  const scaled = scaling === undefined ? work : { ...work, reader: unscaled(reader, scaling) };
  await eachPiece(scaled, false, raw, (from, to) => [part(data, from, to, size)]);
  return { data, dims };
}

/** Whether it is what most requests are, a few rows that lie ready; their way is kept short, since they take microseconds. */
function isOneRun({ networks, reader, tiling, maxRows }: Work, port: Port, outputShape: readonly number[]): boolean {
  const { rows } = reader;
  if (reader.borrow === undefined || tiling !== undefined || port.dtype !== 'float32') return false;
  if ((port.batch ?? rows) !== rows) return false;
  return (
    rows === 1 ||
    rows <= Math.min(rowsPerRun(port.batch, networks.widest, reader.rowShape, outputShape), maxRows ?? rows)
  );
}

async function runOnce({ session, reader, flag }: Work, port: Port, wanted: readonly WantedOutput[]): Promise<void> {
  const rows = reader.borrow!(0, reader.rows);
  const feeds =
    reader.feeds === undefined ? { [port.input]: rows } : { [port.input]: rows, ...reader.feeds(0, reader.rows) };
  try {
    await session.run(feeds, wanted, flag, true);
  } catch (error) {
    reader.check?.(rows, 0); // says which row it is
    throw error;
  }
}

/** Rows of an array; the array itself where it is all of them, since views take time to make. */
function part(all: Float32Array, from: number, to: number, size: number): Float32Array {
  return from === 0 && all.length === to * size ? all : all.subarray(from * size, to * size);
}

type RawOutput = Pick<PieceOutput, 'name' | 'rowShape'>;

/** What the encoder's graph gives for one row. */
function rawPosterior(networks: Networks, latentShape: readonly number[]): RawOutput[] {
  const { posterior } = networks.encoder;
  switch (posterior.kind) {
    case 'pair':
      return [posterior.mean, posterior.logVariance].map((name) => ({ name, rowShape: latentShape }));
    case 'moments':
      return [{ name: posterior.name, rowShape: [2 * latentShape[0]!, ...latentShape.slice(1)] }];
    case 'point':
      return [{ name: posterior.name, rowShape: latentShape }];
  }
}

/** Where the rows from `from` to `to` go, one array for each output. */
type Targets = (from: number, to: number) => readonly Float32Array[];
/** Takes those rows when they are there. */
type Done = (from: number, to: number, values: readonly Float32Array[]) => void;

/** Runs all rows, in pieces or in tiles. */
function eachPiece(
  work: Work,
  encodes: boolean,
  raw: readonly RawOutput[],
  targets: Targets,
  done?: Done,
): Promise<void> {
  const { networks, reader, tiling } = work;
  const port = encodes ? networks.encoder : networks.decoder;
  if (tiling !== undefined && networks.downsampling !== undefined) {
    return eachTiled(work, port, encodes, { tiling, downsampling: networks.downsampling }, raw, targets, done);
  }
  const shapes = (): (readonly number[])[] => [reader.rowShape, ...raw.map(({ rowShape }) => rowShape)];
  const most = reader.rows === 1 ? 1 : rowsPerRun(port.batch, networks.widest, ...shapes());
  const step = port.batch ?? Math.min(most, work.maxRows ?? most);
  const each = reader.borrow === undefined ? eachRead : eachBorrowed;
  return each(work, port, step, raw, targets, done);
}

async function eachTiled(
  { session, reader, flag, where }: Work,
  port: Port,
  encodes: boolean,
  tiles: { readonly tiling: Tiling; readonly downsampling: number },
  raw: readonly RawOutput[],
  targets: Targets,
  done: Done | undefined,
): Promise<void> {
  const run = { session, port, reader, ...tiles, encodes, flag, where };
  for (let row = 0; row < reader.rows; row += 1) {
    const outputs = pieceOutputs(raw, targets(row, row + 1));
    await runTiled(run, row, outputs);
    done?.(
      row,
      row + 1,
      outputs.map(({ into }) => into),
    );
  }
}

/** Rows that have to be read and converted: the next ones are while these run. */
async function eachRead(
  { session, reader, flag }: Work,
  port: Port,
  step: number,
  raw: readonly RawOutput[],
  targets: Targets,
  done: Done | undefined,
): Promise<void> {
  // One for the rows that run, one for those that are read meanwhile.
  let [scratch, spare] = [Scratch.take(), Scratch.take()];
  let next: ReturnType<RowReader['read']> = reader.read(0, Math.min(reader.rows, step), scratch);
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const rows = next instanceof Promise ? await next : next;
    const outputs = pieceOutputs(raw, targets(from, to));
    const running = runPiece(session, port, rows, outputs, flag, reader.feeds?.(from, to));
    [scratch, spare] = [spare, scratch];
    if (to < reader.rows) next = readAhead(reader, to, Math.min(reader.rows, to + step), scratch);
    await running;
    done?.(
      from,
      to,
      outputs.map(({ into }) => into),
    );
  }
  // After a failure something may still be read into them.
  scratch.release();
  spare.release();
}

function pieceOutputs(raw: readonly RawOutput[], into: readonly Float32Array[]): PieceOutput[] {
  return raw.map(({ name, rowShape }, index) => ({ name, rowShape, into: into[index]! }));
}

/** Rows that lie ready: the run itself looks at their values. */
async function eachBorrowed(
  { session, reader, flag }: Work,
  port: Port,
  step: number,
  raw: readonly RawOutput[],
  targets: Targets,
  done: Done | undefined,
): Promise<void> {
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const rows = reader.borrow!(from, to);
    const outputs = pieceOutputs(raw, targets(from, to));
    if (port.dtype !== 'float32') reader.check?.(rows, from);
    try {
      await runPiece(session, port, rows, outputs, flag, reader.feeds?.(from, to), true);
    } catch (error) {
      reader.check?.(rows, from); // says which row it is
      throw error;
    }
    done?.(
      from,
      to,
      outputs.map(({ into }) => into),
    );
  }
}

/** A failure to read counts when the rows are wanted, not before. */
function readAhead(reader: RowReader, from: number, to: number, scratch: Scratch): ReturnType<RowReader['read']> {
  try {
    const rows = reader.read(from, to, scratch);
    if (rows instanceof Promise) rows.catch(() => undefined);
    return rows;
  } catch (error) {
    const failed = Promise.reject(error);
    failed.catch(() => undefined);
    return failed;
  }
}

/** The graph's outputs as mean and log-variance of latents as users see them. */
function splitPosterior(
  { encoder, scaling, logVarianceRange, latentShape }: Networks,
  raw: readonly Float32Array[],
  size: number,
  mean: Float32Array,
  logVariance: Float32Array,
): void {
  const { kind } = encoder.posterior;
  const first = raw[0]!;
  if (kind === 'moments') {
    for (let row = 0, at = 0; row < mean.length; row += size, at += 2 * size) {
      mean.set(first.subarray(at, at + size), row);
      logVariance.set(first.subarray(at + size, at + 2 * size), row);
    }
  } else {
    mean.set(first);
    if (kind === 'pair') logVariance.set(raw[1]!);
    else logVariance.fill(POINT_LOG_VARIANCE);
  }
  if (logVarianceRange !== undefined) {
    const [low, high] = logVarianceRange;
    for (let index = 0; index < logVariance.length; index += 1) {
      logVariance[index] = Math.min(high, Math.max(low, logVariance[index]!));
    }
  }
  if (scaling === undefined) return;
  eachChannel(scaling, latentShape[0]!, size, mean.length, (from, to, scale, shift) => {
    const widening = 2 * Math.log(scale);
    for (let index = from; index < to; index += 1) {
      mean[index] = (mean[index]! - shift) * scale;
      logVariance[index] = logVariance[index]! + widening;
    }
  });
}

/** Latents as the decoder's graph wants them. */
function unscaled(reader: RowReader, scaling: LatentScaling): RowReader {
  const size = elementCount(reader.rowShape);
  const channels = reader.rowShape[0]!;
  const undo = (values: Float32Array): Float32Array => {
    const out = new Float32Array(values.length);
    eachChannel(scaling, channels, size, values.length, (from, to, scale, shift) => {
      for (let index = from; index < to; index += 1) out[index] = values[index]! / scale + shift;
    });
    return out;
  };
  return withMembers(reader, {
    borrow: undefined,
    async read(from, to) {
      const rows = await reader.read(from, to);
      return { ...rows, data: undo(rows.data as Float32Array) };
    },
    async stored(row) {
      return undo((await reader.read(row, row + 1)).data as Float32Array);
    },
  });
}

function eachChannel(
  { scale, shift }: LatentScaling,
  channels: number,
  rowSize: number,
  length: number,
  change: (from: number, to: number, scale: number, shift: number) => void,
): void {
  const width = rowSize / channels;
  for (let from = 0, channel = 0; from < length; from += width, channel = (channel + 1) % channels) {
    change(from, from + width, scale[scale.length === 1 ? 0 : channel]!, shift[shift.length === 1 ? 0 : channel]!);
  }
}

function claim(
  given: Float32Array | undefined,
  name: string,
  rows: number,
  shape: readonly number[],
  where: string,
): Float32Array {
  if (given === undefined) return allocate(rows, shape, where);
  const expected = rows * elementCount(shape);
  if (given.length === expected) return given;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}, ${name}: expected a Float32Array of ${expected} for [${[rows, ...shape].join(', ')}], received one of ${given.length}.`,
  );
}
