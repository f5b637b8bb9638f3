/** What the networks of photographs are trained on: samples of pictures with all that the coder knows when it meets them. */
import { loadAddon } from '../../../binding/index.js';
import { Dataset } from '../../../data/dataset.js';
import { luma } from '../../../data/image/luma.js';
import { customRows } from '../../../data/rows/custom.js';
import { rowDraws } from '../../../data/rows/draws.js';
import type { Picture } from '../../pictures/picture.js';
import { ROLES } from './config.js';
import { FEATURE_UNITS } from './to-integers.js';

const SEED_STEP = 7919;

/** Rows of one role as the coder's integers, which fit 16 bits for pictures of 8. */
export interface RoleRows {
  readonly rows: Int16Array;
  readonly count: number;
  readonly features: number;
  readonly extra: number;
}

/** A picture in grey: for the role that stands alone. */
function inGrey({ width, height, channels, data }: Picture): Picture {
  if (channels === 1) return { width, height, channels, data };
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i += 1) {
    grey[i] = Math.round(luma(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!));
  }
  return { width, height, channels: 1, data: grey };
}

/**
 * What predictors begin with: means over the blocks of some pictures.
 *
 * @param pictures 8 bits, grey or RGB; each is also looked at in grey.
 */
export async function collectPriors(pictures: readonly Picture[], signal?: AbortSignal): Promise<Int32Array[]> {
  const addon = loadAddon();
  const sizes = addon.photoConstants.roles.map(({ differences }) => (differences + 1) ** 2);
  const sums = sizes.map((size) => new Float64Array(size));
  const blocks = new Float64Array(ROLES);
  const none = sizes.map((size) => new Int32Array(size));
  for (const picture of pictures.flatMap((one) => (one.channels === 1 ? [one] : [one, inGrey(one)]))) {
    signal?.throwIfAborted();
    const found = await addon.collectPhotoSamples(picture.data, { ...picture, bits: 8 }, none, 2 ** 31, 0);
    for (const [role, { sums: own, blocks: count }] of found.entries()) {
      for (const [i, value] of own.entries()) sums[role]![i]! += value;
      blocks[role]! += count;
    }
  }
  return sums.map((own, role) => Int32Array.from(own, (sum) => Math.trunc(sum / Math.max(1, blocks[role]!))));
}

/**
 * Rows of about one of `every` samples; of grey half as many.
 *
 * @param pictures as of collectPriors().
 */
export async function collectRows(
  pictures: readonly Picture[],
  priors: readonly Int32Array[],
  every: number,
  seed: number,
  signal?: AbortSignal,
): Promise<RoleRows[]> {
  const addon = loadAddon();
  const { roles, extra } = addon.photoConstants;
  const pieces: Int16Array[][] = roles.map(() => []);
  for (const [index, picture] of pictures.entries()) {
    signal?.throwIfAborted();
    const views: [Picture, number][] = picture.channels === 1 ? [] : [[picture, every]];
    views.push([inGrey(picture), 2 * every]);
    for (const [view, part] of views) {
      const found = await addon.collectPhotoSamples(
        ...([view.data, { ...view, bits: 8 }, priors, part, seed + SEED_STEP * (index + 1)] as const),
      );
      for (const [role, { rows }] of found.entries()) {
        pieces[role]!.push(Int16Array.from(new Int32Array(rows.buffer, rows.byteOffset, rows.byteLength / 4)));
      }
    }
  }
  return pieces.map((own, role) => {
    const { features } = roles[role]!;
    const length = own.reduce((sum, piece) => sum + piece.length, 0);
    const rows = new Int16Array(length);
    let at = 0;
    for (const piece of own) {
      rows.set(piece, at);
      at += piece.length;
    }
    return { rows, count: length / (features + extra), features, extra };
  });
}

/** Rows as the objective takes them. */
export function floatRow({ rows, features, extra }: RoleRows, row: number, into: Float32Array, at: number): void {
  const units = 2 ** loadAddon().photoConstants.fractionBits;
  const width = features + extra;
  const from = row * width;
  for (let i = 0; i < features; i += 1) into[at + i] = rows[from + i]! / FEATURE_UNITS;
  for (let i = features; i < width; i += 1) into[at + i] = rows[from + i]! / units;
}

/** `length` rows, drawn anew in every pass by seed, row and pass alone. */
export function rowsDataset(role: RoleRows, length: number, seed: bigint): Dataset {
  const width = role.features + role.extra;
  const key = Number(seed & 0x1f_ffff_ffff_ffffn);
  return new Dataset(
    customRows(
      {
        length,
        rowShape: [width],
        read: (wanted, _, pass = 0) => {
          const out = new Float32Array(wanted.length * width);
          for (let index = 0; index < wanted.length; index += 1) {
            const row = Math.floor(rowDraws(key, wanted[index]!, pass)() * role.count);
            floatRow(role, row, out, index * width);
          }
          return out;
        },
      },
      'trainPhotoCodec()',
    ),
  );
}
