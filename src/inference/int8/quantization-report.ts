/** What a model loses in 8-bit integers. */
export interface QuantizationReport {
  /** Means over the examples at the same draws, in nats. */
  readonly reconstruction: { readonly float32: number; readonly int8: number };
  readonly kl: { readonly float32: number; readonly int8: number };
  /** By how much the reconstruction is worse, in nats for each example. */
  readonly loss: number;
  /** Matrix products and convolutions that are done in integers. */
  readonly products: number;
  /** Bytes of encoder and decoder as ONNX files. */
  readonly bytes: { readonly float32: number; readonly int8: number };
}

interface Terms {
  readonly reconstruction: Float32Array;
  readonly kl: Float32Array;
}

export function compareScores(
  float32: Terms,
  int8: Terms,
  products: number,
  bytes: QuantizationReport['bytes'],
): QuantizationReport {
  const reconstruction = { float32: mean(float32.reconstruction), int8: mean(int8.reconstruction) };
  return {
    reconstruction,
    kl: { float32: mean(float32.kl), int8: mean(int8.kl) },
    loss: reconstruction.int8 - reconstruction.float32,
    products,
    bytes,
  };
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
