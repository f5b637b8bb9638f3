/** Structured damage to valid bytes, decided by a seed: the same mutations in every run. */

/** Small generator of 32-bit numbers (xorshift, Marsaglia 2003), good enough to pick mutations. */
export function generator(seed: number): (below: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const EXTREMES = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];

/** One to three changes: bits, extreme bytes, cut or repeated ranges, runs of one value. Most hit the head. */
export function mutate(bytes: Uint8Array, seed: number, head: number): Uint8Array {
  const pick = generator(seed + 1);
  let out: Uint8Array = new Uint8Array(bytes);
  for (let change = 0; change <= pick(3) && out.length > 0; change += 1) {
    const at = pick(4) === 0 ? pick(out.length) : pick(Math.min(head, out.length));
    switch (pick(6)) {
      case 0:
        out[at]! ^= 1 << pick(8);
        break;
      case 1:
        out[at] = EXTREMES[pick(EXTREMES.length)]!;
        break;
      case 2:
        out = out.slice(0, at);
        break;
      case 3:
        out = join(out.subarray(0, at), out.subarray(Math.min(out.length, at + 1 + pick(8))));
        break;
      case 4:
        out = join(out.subarray(0, at), out.subarray(at, at + 1 + pick(16)), out.subarray(at));
        break;
      default:
        out.fill(EXTREMES[pick(EXTREMES.length)]!, at, Math.min(out.length, at + 1 + pick(4)));
    }
  }
  return out;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
