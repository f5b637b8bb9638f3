import { describe, expect, it } from 'vitest';
import { createItemCodec } from '../../src/binding/coder.js';
import { loadAddon } from '../../src/binding/index.js';
import { randomItems, randomSpec } from '../codecs/random-spec.js';

describe('the native item codec', () => {
  it('gives back what went in, for any number of items', async () => {
    for (const [index, count] of [1, 2, 8, 9, 33, 256].entries()) {
      const codec = await createItemCodec(randomSpec(index + 1));
      const items = randomItems(count, count, codec.itemSize);
      const bytes = await codec.encode(items, count, true);
      expect(Buffer.compare(await codec.decode(bytes, count), items)).toBe(0);
      await codec.close();
    }
  });

  it('codes the same bytes whatever runs beside it', async () => {
    const codec = await createItemCodec(randomSpec(7));
    const items = randomItems(1, 100, codec.itemSize);
    const runs = await Promise.all(Array.from({ length: 6 }, () => codec.encode(items, 100, false)));
    for (const bytes of runs) expect(Buffer.compare(bytes, runs[0]!)).toBe(0);
    await codec.close();
  });

  it('refuses bytes of another model, another count, or cut short', async () => {
    const [codec, other] = await Promise.all([createItemCodec(randomSpec(7)), createItemCodec(randomSpec(8))]);
    const items = randomItems(1, 40, codec.itemSize);
    const bytes = await codec.encode(items, 40, false);
    await expect(other.decode(bytes, 40)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(codec.decode(bytes, 41)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(codec.decode(bytes.subarray(0, bytes.length - 4), 40)).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
    });
    await expect(codec.decode(new Uint8Array(0), 40)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await Promise.all([codec.close(), other.close()]);
  });

  it('refuses items of the wrong length and specs that do not fit', async () => {
    const codec = await createItemCodec(randomSpec(7));
    expect(() => codec.encode(new Uint8Array(5), 1, true)).toThrowError(/expected 30 bytes for 1 items, received 5/);
    expect(() => codec.decode(new Uint8Array(5), 0)).toThrowError(/at least|from 1 item/);
    expect(() => codec.decode(new Uint8Array(5), 1e15)).toThrowError(/from 1 item/);
    await codec.close();
    const spec = randomSpec(1);
    await expect(createItemCodec({ ...spec, latents: 4 })).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(createItemCodec({ ...spec, neighbours: Int32Array.of(0, 1) })).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
    });
    const heavy = { ...spec.local[1]!, weights: new Int16Array(spec.local[1]!.weights.length).fill(32767) };
    await expect(createItemCodec({ ...spec, local: [spec.local[0]!, heavy] })).rejects.toThrowError(/overflow 32 bits/);
  });

  it('stops when aborted, and close() waits for what runs', async () => {
    const codec = await createItemCodec(randomSpec(7, 40, 40));
    const items = randomItems(1, 2000, codec.itemSize);
    const flag = new (loadAddon().AbortFlag)();
    const aborted = codec.encode(items, 2000, true, flag);
    flag.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    const running = codec.encode(items.subarray(0, 1600 * 20), 20, true);
    await Promise.all([codec.close(), codec.close(), running]);
    expect(() => codec.encode(items.subarray(0, 1600), 1, true)).toThrowError(/after close/);
  });
});
