/** Latents between latents, as interpolate() of node-vae has them. */

export function between(a: Float32Array, b: Float32Array, part: number, spherical: boolean): Float32Array {
  const [from, to] = spherical ? weights(a, b, part) : [1 - part, part];
  return a.map((value, at) => from * value + to * b[at]!);
}

/** Along the great circle (Shoemake 1985). */
function weights(a: Float32Array, b: Float32Array, part: number): [number, number] {
  let [dot, left, right] = [0, 0, 0];
  for (let at = 0; at < a.length; at += 1) {
    dot += a[at]! * b[at]!;
    left += a[at]! ** 2;
    right += b[at]! ** 2;
  }
  const lengths = Math.sqrt(left * right);
  const angle = lengths === 0 ? 0 : Math.acos(Math.min(1, Math.max(-1, dot / lengths)));
  const sine = Math.sin(angle);
  return sine < 1e-4 ? [1 - part, part] : [Math.sin((1 - part) * angle) / sine, Math.sin(part * angle) / sine];
}

/** A − B + C */
export function sumOf(a: Float32Array, b: Float32Array, c: Float32Array): Float32Array {
  return a.map((value, at) => value - b[at]! + c[at]!);
}

export function joined(latents: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(latents.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const latent of latents) {
    out.set(latent, at);
    at += latent.length;
  }
  return out;
}
