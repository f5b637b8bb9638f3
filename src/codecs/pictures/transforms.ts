/** The floating-point networks of a lossy model, open and ready: pictures to latents and back. */
import { Lifetime } from '../../core/disposal.js';
import { writeModel } from '../../graph/index.js';
import { GraphSession } from '../../inference/sessions/session.js';
import { DOWNSAMPLING, HYPER_DOWNSAMPLING, type LossyConfig, reduced } from './config.js';
import { buildNetwork, constantsFrom, type NetworkName } from './graphs.js';
import { networksOf } from './model-file.js';
import { PIXEL_CHANNELS } from './networks.js';
import { gainName } from './objective.js';
import { MOST_QUALITY, type Picture, QUALITY_UNITS } from './picture.js';
import { bandsOf, copyPlanes, pixels, type Tile, tilesOf } from './tiles.js';
import type { WeightsOf } from './to-integers.js';

/** Latents [channels, height, width]. */
export interface Latents {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

export class Transforms {
  readonly #config: LossyConfig;
  readonly #weights: WeightsOf;
  readonly #sessions: ReadonlyMap<NetworkName, GraphSession>;
  readonly #lifetime = new Lifetime('Transforms');

  private constructor(config: LossyConfig, weights: WeightsOf, sessions: ReadonlyMap<NetworkName, GraphSession>) {
    this.#config = config;
    this.#weights = weights;
    this.#sessions = sessions;
  }

  /** @param threads of each run; 0 lets ONNX Runtime choose. */
  static async open(config: LossyConfig, weights: WeightsOf, threads: number): Promise<Transforms> {
    const sessions = new Map<NetworkName, GraphSession>();
    try {
      for (const name of networksOf(config)) {
        const model = writeModel(buildNetwork(name, config, constantsFrom(weights)));
        sessions.set(name, await GraphSession.open(model, name, { intraOpThreads: threads, keepMemory: false }));
      }
    } catch (error) {
      await Promise.all([...sessions.values()].map((session) => session.close()));
      throw error;
    }
    return new Transforms(config, weights, sessions);
  }

  /** Latents of a picture at a quality, not rounded yet. */
  async analyse(picture: Picture, quality: number): Promise<Latents> {
    const { latents } = this.#config;
    const height = reduced(picture.height, DOWNSAMPLING);
    const width = reduced(picture.width, DOWNSAMPLING);
    const data = new Float32Array(latents * height * width);
    for (const tile of tilesOf(height, width)) {
      const dims = [1, PIXEL_CHANNELS, pixels(tile.outerHeight), pixels(tile.outerWidth)];
      const made = await this.#run('analysis', pixelsOf(picture, tile), dims);
      copyPlanes(made, data, latents, sizesOf(tile, height, width), placeOf(tile));
    }
    this.#scale(data, height * width, 'up', quality);
    return { data, height, width };
  }

  /** Hyper-latents of latents; empty without a hyperprior. */
  async hyperAnalyse({ data, height, width }: Latents): Promise<Float32Array> {
    if (this.#config.prior !== 'hyperprior') return new Float32Array(0);
    const { latents, hyperLatents } = this.#config;
    const bands = bandsOf(height);
    if (bands.length === 1) return this.#run('hyper_analysis', data, [1, latents, height, width]);
    const [rows, columns] = [hyperSide(height), hyperSide(width)];
    const all = new Float32Array(hyperLatents * rows * columns);
    for (const { top, rows: own, outerTop, outerRows } of bands) {
      const some = new Float32Array(latents * outerRows * width);
      const whole = { fromTop: outerTop, fromLeft: 0, toTop: 0, toLeft: 0, rows: outerRows, columns: width };
      const sizes = { fromRows: height, fromColumns: width, toRows: outerRows, toColumns: width };
      copyPlanes(data, some, latents, sizes, whole);
      const made = await this.#run('hyper_analysis', some, [1, latents, outerRows, width]);
      const sizesBack = { fromRows: hyperSide(outerRows), fromColumns: columns, toRows: rows, toColumns: columns };
      copyPlanes(made, all, hyperLatents, sizesBack, {
        ...{ fromTop: (top - outerTop) / HYPER_DOWNSAMPLING, fromLeft: 0 },
        ...{ toTop: top / HYPER_DOWNSAMPLING, toLeft: 0, rows: hyperSide(own), columns },
      });
    }
    return all;
  }

  /** The picture that latents stand for. */
  async synthesise(
    { data, height, width }: Latents,
    picture: Pick<Picture, 'width' | 'height' | 'channels'>,
    quality: number,
  ): Promise<Picture> {
    const { latents } = this.#config;
    const made = new Uint8Array(picture.width * picture.height * picture.channels);
    for (const tile of tilesOf(height, width)) {
      const { outerHeight, outerWidth } = tile;
      const input = new Float32Array(latents * outerHeight * outerWidth);
      copyPlanes(data, input, latents, sizesBack(tile, height, width), {
        ...{ fromTop: tile.outerTop, fromLeft: tile.outerLeft, toTop: 0, toLeft: 0 },
        ...{ rows: outerHeight, columns: outerWidth },
      });
      this.#scale(input, outerHeight * outerWidth, 'down', quality);
      const output = await this.#run('synthesis', input, [1, latents, outerHeight, outerWidth]);
      writePixels(output, tile, { ...picture, data: made });
    }
    return { ...picture, data: made };
  }

  /** Idempotent; waits for runs in flight. */
  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await Promise.all([...this.#sessions.values()].map((session) => session.close()));
    });
  }

  async #run(name: NetworkName, data: Float32Array, dims: readonly number[]): Promise<Float32Array> {
    this.#lifetime.check();
    const [output] = await this.#sessions
      .get(name)!
      .run({ input: { dtype: 'float32', dims, data } }, [{ name: 'output' }]);
    return output!.data as Float32Array;
  }

  #scale(data: Float32Array, plane: number, direction: 'up' | 'down', quality: number): void {
    const gains = gainsAt(this.#config, this.#weights, direction, quality);
    for (const [channel, gain] of gains.entries()) {
      for (let at = channel * plane; at < (channel + 1) * plane; at += 1) data[at]! *= gain;
    }
  }
}

/** Where a quality lies among the levels: 0 is the first, levels - 1 the last. */
export function levelAt({ lambdas }: LossyConfig, quality: number): number {
  return (quality / (MOST_QUALITY * QUALITY_UNITS)) * (lambdas.length - 1);
}

/** Gains between two trained levels are interpolated as logarithms (Cui et al. 2021, equation 8). */
function gainsAt(config: LossyConfig, weights: WeightsOf, direction: 'up' | 'down', quality: number): Float64Array {
  const level = levelAt(config, quality);
  const below = Math.min(Math.floor(level), config.lambdas.length - 1);
  const above = Math.min(below + 1, config.lambdas.length - 1);
  const low = weights(gainName(direction, below)).data;
  const high = weights(gainName(direction, above)).data;
  return Float64Array.from(low, (value, channel) => Math.exp(value + (high[channel]! - value) * (level - below)));
}

/** Pixels of a tile, channels first, -0.5..0.5; beyond the picture's edge its last row and column go on. */
function pixelsOf({ data, width, height, channels }: Picture, tile: Tile): Float32Array {
  const [rows, columns] = [pixels(tile.outerHeight), pixels(tile.outerWidth)];
  const planes = new Float32Array(PIXEL_CHANNELS * rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const y = Math.min(height - 1, pixels(tile.outerTop) + row);
    for (let column = 0; column < columns; column += 1) {
      const x = Math.min(width - 1, pixels(tile.outerLeft) + column);
      const from = (y * width + x) * channels;
      for (let channel = 0; channel < PIXEL_CHANNELS; channel += 1) {
        const value = data[from + (channels === 1 ? 0 : channel)]!;
        planes[(channel * rows + row) * columns + column] = value / 255 - 0.5;
      }
    }
  }
  return planes;
}

function writePixels(planes: Float32Array, tile: Tile, { data, width, height, channels }: Picture): void {
  const [rows, columns] = [pixels(tile.outerHeight), pixels(tile.outerWidth)];
  const firstRow = pixels(tile.top);
  const firstColumn = pixels(tile.left);
  const lastRow = Math.min(height, firstRow + pixels(tile.height));
  const lastColumn = Math.min(width, firstColumn + pixels(tile.width));
  for (let y = firstRow; y < lastRow; y += 1) {
    for (let x = firstColumn; x < lastColumn; x += 1) {
      const at = (y - pixels(tile.outerTop)) * columns + (x - pixels(tile.outerLeft));
      const value = (channel: number): number => planes[channel * rows * columns + at]!;
      const to = (y * width + x) * channels;
      if (channels === 1) data[to] = toByte((value(0) + value(1) + value(2)) / 3);
      else for (let channel = 0; channel < 3; channel += 1) data[to + channel] = toByte(value(channel));
    }
  }
}

function toByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round((value + 0.5) * 255)));
}

function sizesOf(tile: Tile, height: number, width: number) {
  return { fromRows: tile.outerHeight, fromColumns: tile.outerWidth, toRows: height, toColumns: width };
}

function sizesBack(tile: Tile, height: number, width: number) {
  return { fromRows: height, fromColumns: width, toRows: tile.outerHeight, toColumns: tile.outerWidth };
}

/** The tile itself within its surroundings, to its place in the whole. */
function placeOf(tile: Tile) {
  return {
    ...{ fromTop: tile.top - tile.outerTop, fromLeft: tile.left - tile.outerLeft },
    ...{ toTop: tile.top, toLeft: tile.left, rows: tile.height, columns: tile.width },
  };
}

/** Height or width of hyper-latents. */
export function hyperSide(side: number): number {
  return reduced(side, HYPER_DOWNSAMPLING);
}
