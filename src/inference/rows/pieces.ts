/** Rows through one network: pieces of bounded size, half precision, graphs of a fixed batch. */
import type { NativeAbortFlag, NativeTensor } from '../../binding/addon.js';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { float16ToFloat32, float32ToFloat16 } from '../../core/half.js';
import type { FloatType } from '../networks.js';
import type { Feeds, GraphSession } from '../sessions/session.js';

/** Rows of one run at most. */
const MOST_ROWS = 1024;
/**
 * Elements of the widest value of one run: 1.6 MB. Beyond, what one layer writes has left the cache
 * before the next reads it: on one core of a Zen 4 a convolutional encoder of 28×28 pictures takes
 * 38.1 µs a row in runs of 128 rows and 41.8 in runs of 1024, a fully connected one 6.4 and 6.6.
 */
const MOST_ELEMENTS = 400 * 1024;

/**
 * How many rows one run takes.
 *
 * @param batch what the graph fixes.
 * @param widest elements of one row of the widest value inside the graph, where that is known.
 */
export function rowsPerRun(
  batch: number | undefined,
  widest: number | undefined,
  ...rowShapes: readonly (readonly number[])[]
): number {
  if (batch !== undefined) return batch;
  const width = Math.max(widest ?? 1, ...rowShapes.map(elementCount));
  return Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_ELEMENTS / width)));
}

export interface PieceOutput {
  readonly name: string;
  readonly rowShape: readonly number[];
  /** float32 [rows, ...rowShape]. */
  readonly into: Float32Array;
}

export interface Port {
  readonly input: string;
  readonly dtype: FloatType;
  readonly batch: number | undefined;
}

/**
 * One run of a network on `rows` (float32 [n, ...]), in the type and batch that it was exported for:
 * a fixed batch is filled up by repeating the last row, and what comes of that is dropped. `others` are
 * further inputs, for graphs of any batch. With `checkFinite`, rows that are not finite are refused.
 */
export function runPiece(
  session: GraphSession,
  port: Port,
  rows: NativeTensor,
  outputs: readonly PieceOutput[],
  flag: NativeAbortFlag | undefined,
  others?: Feeds,
  checkFinite?: boolean,
): Promise<unknown> {
  const count = rows.dims[0]!;
  const batch = port.batch ?? count;
  if (port.dtype !== 'float32' || batch !== count) {
    return runConverted(session, port, rows, batch, outputs, flag, checkFinite);
  }
  const wanted = outputs.map(({ name, rowShape, into }) => ({ name, into, dims: [count, ...rowShape] }));
  const feeds = others === undefined ? { [port.input]: rows } : { [port.input]: rows, ...others };
  return session.run(feeds, wanted, flag, checkFinite);
}

async function runConverted(
  session: GraphSession,
  port: Port,
  rows: NativeTensor,
  batch: number,
  outputs: readonly PieceOutput[],
  flag: NativeAbortFlag | undefined,
  checkFinite: boolean | undefined,
): Promise<void> {
  const feed = { dtype: port.dtype, dims: [batch, ...rows.dims.slice(1)], data: fill(rows, port.dtype, batch) };
  const results = await session.run(
    { [port.input]: feed },
    outputs.map(({ name, rowShape }) => ({ name, dims: [batch, ...rowShape] })),
    flag,
    checkFinite,
  );
  outputs.forEach(({ into, name, rowShape }, index) => {
    const { data, dims } = results[index]!;
    if (data.length !== batch * elementCount(rowShape)) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `The network's output '${name}' came out with shape [${dims.join(', ')}], expected [${[batch, ...rowShape].join(', ')}].`,
      );
    }
    if (data instanceof Uint16Array) float16ToFloat32(data.subarray(0, into.length), into);
    else into.set((data as Float32Array).subarray(0, into.length));
  });
}

function fill({ data, dims }: NativeTensor, dtype: FloatType, batch: number): Float32Array | Uint16Array {
  const values = data as Float32Array;
  const width = values.length / dims[0]!;
  const out = dtype === 'float16' ? new Uint16Array(batch * width) : new Float32Array(batch * width);
  if (out instanceof Uint16Array) float32ToFloat16(values, out);
  else out.set(values);
  for (let row = dims[0]!; row < batch; row += 1) out.copyWithin(row * width, values.length - width, values.length);
  return out;
}

/** @throws VaeError ERR_VAE_DATA where there is not that much memory. */
export function allocate(rows: number, rowShape: readonly number[], where: string): Float32Array<ArrayBuffer> {
  try {
    return new Float32Array(rows * elementCount(rowShape));
  } catch (cause) {
    const gigabytes = ((rows * elementCount(rowShape) * 4) / 2 ** 30).toFixed(1);
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: the result [${[rows, ...rowShape].join(', ')}] needs ${gigabytes} GiB, more than there is. ` +
        'Give fewer rows at a time, or use a stream.',
      { cause },
    );
  }
}
