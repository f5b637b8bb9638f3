/** Frames through a model of single frames, each with the latents of its neighbours: less flicker. */
import type { RebuildRows } from '../audio/rebuild.js';

/** Both halves of a model of single frames: rows of values, as many as `count`, to others. */
export interface FrameModel {
  readonly encode: (frames: Float32Array, count: number) => Promise<Float32Array>;
  readonly decode: (latents: Float32Array, count: number) => Promise<Float32Array>;
}

/** What gives rows later than it takes them: `finish` gives the last ones. */
export interface DelayedRows {
  readonly rebuild: RebuildRows;
  readonly finish: () => Promise<Float32Array>;
}

/**
 * Decodes for each frame the weighted mean of the latents of `window` frames around it, the weights those of a Hann
 * window without its zeros; at the ends of a video those of the frames there are. Holds the latents of one window
 * and one batch, however long the video is.
 *
 * @param window odd; 1 is every frame by itself.
 */
export function temporalWindow(window: number, { encode, decode }: FrameModel): DelayedRows {
  const radius = (window - 1) / 2;
  const weights = Float64Array.from({ length: window }, (_, at) => Math.sin((Math.PI * (at + 1)) / (window + 1)) ** 2);
  /** Latents of frames from number `first` on. */
  let kept: Float32Array[] = [];
  let first = 0;
  let next = 0;

  const decoded = async (end: number): Promise<Float32Array> => {
    const count = Math.max(0, end - next);
    if (count === 0) return new Float32Array(0);
    const size = kept[0]!.length;
    const means = new Float32Array(count * size);
    for (let frame = next; frame < end; frame += 1) {
      const to = means.subarray((frame - next) * size, (frame - next + 1) * size);
      let total = 0;
      for (let offset = -radius; offset <= radius; offset += 1) {
        const latents = kept[frame + offset - first];
        if (frame + offset < first || latents === undefined) continue;
        const weight = weights[offset + radius]!;
        total += weight;
        for (let at = 0; at < size; at += 1) to[at] = to[at]! + weight * latents[at]!;
      }
      for (let at = 0; at < size; at += 1) to[at] = to[at]! / total;
    }
    next = end;
    const gone = Math.max(0, next - radius - first);
    kept = kept.slice(gone);
    first += gone;
    return decode(means, count);
  };

  return {
    rebuild: async (frames, count) => {
      const latents = await encode(frames, count);
      const size = latents.length / count;
      for (let row = 0; row < count; row += 1) kept.push(latents.slice(row * size, (row + 1) * size));
      return decoded(first + kept.length - radius);
    },
    finish: () => decoded(first + kept.length),
  };
}
