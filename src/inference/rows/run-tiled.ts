/** One row through a network tile by tile. */
import type { NativeAbortFlag } from '../../binding/addon.js';
import { elementCount, type TypedArray } from '../../core/dtype.js';
import { checkDomain, REAL } from '../../data/domain.js';
import type { GraphSession } from '../sessions/session.js';
import { type PieceOutput, type Port, runPiece } from './pieces.js';
import type { RowReader } from './rows.js';
import { type AxisTiles, addTile, asPlanes, eachLine, type Tiling, tileAxis, type Window } from './tiling.js';

export interface TiledPass {
  readonly session: GraphSession;
  readonly port: Port;
  readonly reader: RowReader;
  readonly tiling: Tiling;
  readonly downsampling: number;
  /** Whether the network goes from data to latents. */
  readonly encodes: boolean;
  readonly flag: NativeAbortFlag | undefined;
  readonly where: string;
}

interface Side {
  readonly starts: (axis: AxisTiles, tile: number) => number;
  readonly size: (axis: AxisTiles) => number;
  readonly weights: (axis: AxisTiles, tile: number) => Float32Array;
}

const DATA: Side = {
  starts: (axis, tile) => axis.starts[tile]!.data,
  size: (axis) => axis.dataSize,
  weights: (axis, tile) => axis.dataWeights[tile]!,
};
const LATENT: Side = {
  starts: (axis, tile) => axis.starts[tile]!.latent,
  size: (axis) => axis.latentSize,
  weights: (axis, tile) => axis.latentWeights[tile]!,
};

/**
 * Runs row `row`, in as many tiles at once as the graph's batch has, into `outputs` (of one row each).
 */
export async function runTiled(run: TiledPass, row: number, outputs: readonly PieceOutput[]): Promise<void> {
  const { session, port, reader, tiling, downsampling, encodes, flag, where } = run;
  const source = asPlanes(reader.rowShape);
  const factor = encodes ? downsampling : 1;
  const flat = reader.rowShape.length < 3;
  const { height, width, overlap } = tiling;
  const vertical = flat ? tileAxis(1, 1, 1, 0) : tileAxis(source.height / factor, downsampling, height, overlap);
  const horizontal = tileAxis(source.width / factor, downsampling, width, overlap);
  const [from, to] = encodes ? [DATA, LATENT] : [LATENT, DATA];
  const windowOf = (
    side: Side,
    planes: { planes: number; height: number; width: number },
    v: number,
    h: number,
  ): Window => ({
    ...planes,
    top: side.starts(vertical, v),
    left: side.starts(horizontal, h),
    rows: side.size(vertical),
    columns: side.size(horizontal),
  });
  const tileShape = (shape: readonly number[], side: Side): number[] =>
    flat
      ? [...shape.slice(0, -1), side.size(horizontal)]
      : [...shape.slice(0, -2), side.size(vertical), side.size(horizontal)];

  const inputShape = tileShape(reader.rowShape, from);
  const inputSize = elementCount(inputShape);
  const stored: TypedArray = await reader.stored(row);
  const places = vertical.starts.flatMap((_, v) => horizontal.starts.map((_, h) => [v, h] as const));
  const atOnce = Math.min(port.batch ?? 1, places.length);
  const input = new Float32Array(atOnce * inputSize);
  const tiles = outputs.map(({ name, rowShape }) => {
    const shape = tileShape(rowShape, to);
    return { name, rowShape: shape, size: elementCount(shape), into: new Float32Array(atOnce * elementCount(shape)) };
  });
  for (const output of outputs) output.into.fill(0);

  for (let first = 0; first < places.length; first += atOnce) {
    const group = places.slice(first, first + atOnce);
    group.forEach(([v, h], index) => {
      eachLine(windowOf(from, source, v, h), (at, count, line) =>
        reader.convert(stored, at, count, input, index * inputSize + line),
      );
    });
    const used = input.subarray(0, group.length * inputSize);
    checkDomain(used, reader.domain ?? REAL, { firstRow: row, width: used.length, where });
    const rows = { dtype: 'float32' as const, dims: [group.length, ...inputShape], data: used };
    const wanted = tiles.map(({ size, ...tile }) => ({ ...tile, into: tile.into.subarray(0, group.length * size) }));
    await runPiece(session, port, rows, wanted, flag);
    group.forEach(([v, h], index) => {
      outputs.forEach(({ into, rowShape }, output) => {
        const { into: all, size } = tiles[output]!;
        const tile = all.subarray(index * size, (index + 1) * size);
        const window = windowOf(to, asPlanes(rowShape), v, h);
        addTile(into, tile, window, to.weights(vertical, v), to.weights(horizontal, h));
      });
    });
  }
}
