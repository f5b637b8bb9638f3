/** Pieces that overlap, joined with blended seams: what comes out is as long as the whole. */

export interface OverlapShape {
  /** Independent rows of values: channels. */
  readonly lanes: number;
  /** Length of a piece along the axis that pieces overlap on. */
  readonly frame: number;
  /** From the start of a piece to the start of the next; at least half of `frame`. */
  readonly hop: number;
  /** Values at each place of that axis. Default 1. */
  readonly inner?: number;
}

/** Number of pieces that cover a length. */
export function piecesOf(length: number, { frame, hop }: Pick<OverlapShape, 'frame' | 'hop'>): number {
  return length <= frame ? 1 : 1 + Math.ceil((length - frame) / hop);
}

/** Joins pieces [lanes, frame, inner] as they come. Over a seam the next piece fades in linearly. */
export class OverlapAdd {
  readonly #shape: Required<OverlapShape>;
  /** End of the last piece, to be blended with the next: [lanes, frame − hop, inner]. */
  #tail: Float32Array | undefined;

  constructor(shape: OverlapShape) {
    this.#shape = { inner: 1, ...shape };
  }

  /** @returns what is settled now: [lanes, hop, inner]. */
  push(piece: Float32Array): Float32Array {
    const { lanes, frame, hop, inner } = this.#shape;
    const overlap = frame - hop;
    const blended = piece.slice();
    if (this.#tail && overlap > 0) {
      for (let lane = 0; lane < lanes; lane += 1) {
        for (let place = 0; place < overlap; place += 1) {
          const weight = (place + 1) / (overlap + 1);
          const to = (lane * frame + place) * inner;
          const from = (lane * overlap + place) * inner;
          for (let index = 0; index < inner; index += 1) {
            blended[to + index] = this.#tail[from + index]! * (1 - weight) + blended[to + index]! * weight;
          }
        }
      }
    }
    this.#tail = this.#part(blended, hop, frame);
    return this.#part(blended, 0, hop);
  }

  /** @returns the rest: [lanes, frame − hop, inner]. */
  flush(): Float32Array {
    const tail = this.#tail ?? new Float32Array(0);
    this.#tail = undefined;
    return tail;
  }

  #part(piece: Float32Array, from: number, to: number): Float32Array {
    const { lanes, frame, inner } = this.#shape;
    const out = new Float32Array(lanes * (to - from) * inner);
    for (let lane = 0; lane < lanes; lane += 1) {
      out.set(piece.subarray((lane * frame + from) * inner, (lane * frame + to) * inner), lane * (to - from) * inner);
    }
    return out;
  }
}
