/** Dense layers in floating point, run in plain TypeScript: small, and only while a codec is made. */
export interface FloatLayer {
  readonly inputs: number;
  readonly outputs: number;
  /** [outputs, inputs] */
  readonly weights: Float64Array;
  readonly bias: Float64Array;
}

/** x·Wᵀ + b for one row. */
export function apply(layer: FloatLayer, input: ArrayLike<number>): Float64Array {
  const { inputs, outputs, weights, bias } = layer;
  const output = Float64Array.from(bias);
  for (let o = 0; o < outputs; o += 1) {
    let sum = 0;
    const row = o * inputs;
    for (let i = 0; i < inputs; i += 1) sum += weights[row + i]! * input[i]!;
    output[o]! += sum;
  }
  return output;
}

export function relu(values: Float64Array): Float64Array {
  for (let i = 0; i < values.length; i += 1) if (values[i]! < 0) values[i] = 0;
  return values;
}

export function concat(first: ArrayLike<number>, second: ArrayLike<number>): Float64Array {
  const joined = new Float64Array(first.length + second.length);
  joined.set(first as ArrayLike<number>);
  joined.set(second as ArrayLike<number>, first.length);
  return joined;
}

/** The largest magnitude of each layer's output seen so far. */
export class Ranges {
  readonly #most = new Map<string, number>();

  see(name: string, values: Float64Array): void {
    let most = this.#most.get(name) ?? 0;
    for (const value of values) most = Math.max(most, Math.abs(value));
    this.#most.set(name, most);
  }

  of(name: string): number {
    return this.#most.get(name) ?? 0;
  }
}
