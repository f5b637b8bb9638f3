/** A VAE of digits, trained a little, and the codec made of it. */
import { expect } from 'vitest';
import type { Codec } from '../../src/codecs/lossless/codec.js';
import { Vae } from '../../src/vae/index.js';
import type { VaeOptions } from '../../src/vae/options.js';
import { digits } from '../support/digits.js';

/** Bytes of a digit. */
export const SIZE = 784;

export interface DigitCodec {
  readonly vae: Vae;
  readonly codec: Codec;
}

export async function digitCodec(options: Partial<VaeOptions>, epochs: number): Promise<DigitCodec> {
  const vae = await Vae.create({
    input: { kind: 'image', height: 28, width: 28, channels: 1 },
    likelihood: { type: 'local-mixture', features: 4, components: 3, above: 1, beside: 1, hidden: [24, 16] },
    seed: 3,
    ...options,
  } as VaeOptions);
  const { data, shape } = digits(640);
  await vae.fit({ data, shape }, { epochs, batchSize: 16, optimizer: { type: 'adam', learningRate: 3e-3 } });
  return { vae, codec: await vae.toCodec({ data, shape }) };
}

/** The ELBO bounds what bits-back coding can reach: much less would mean that bits are missing. */
export async function expectFewBits({ vae, codec }: DigitCodec, test: Uint8Array): Promise<void> {
  const chunk = async (count: number) => {
    const items = test.subarray(0, count * SIZE);
    const bytes = await codec.encode(items);
    expect(Buffer.compare(await codec.decode(bytes, count), items)).toBe(0);
    const { elbo } = await vae.score({ data: items, shape: [count, 1, 28, 28] });
    return (bytes.length * 8) / (-elbo.reduce((sum, value) => sum + value, 0) / Math.LN2);
  };
  expect(await chunk(1000)).toBeLessThan(1.01);
  expect(await chunk(64)).toBeLessThan(1.03);
  expect(await chunk(256)).toBeGreaterThan(0.97);
}
