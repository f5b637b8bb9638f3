/** Bits of pictures that nothing was trained on. */
import type { ParameterStore } from '../../../src/architectures/parameters.js';
import { loadAddon } from '../../../src/binding/index.js';
import { rowDraws } from '../../../src/data/rows/draws.js';
import { writeModel } from '../../../src/graph/index.js';
import { GraphSession } from '../../../src/inference/sessions/session.js';
import { buildObjective, NOISE, ROWS, type Shape, type Variant } from './objective.js';
import { itemNumbers, keptPixels, type Regions, writeItem } from './regions.js';

const AT_ONCE = 32;

/** Means over the pictures, in bits for each sample: in all, and of that the latents' share. */
export async function measure(
  variant: Variant,
  shape: Omit<Shape, 'pixels'>,
  pictures: readonly Regions[],
  store: ParameterStore,
): Promise<{ bitsPerSample: number; ofLatents: number }> {
  const pixels = keptPixels(pictures[0]!.side);
  const model = buildObjective(variant, { ...shape, pixels }, store.asInitializers, true);
  const session = await GraphSession.open(writeModel(model), 'The objective with latents');
  const { seen } = variant.blocks;
  let [all, latents] = [0, 0];
  for (const [picture, regions] of pictures.entries()) {
    const numbers = itemNumbers(regions, variant.blocks, pixels);
    let [loss, kl] = [0, 0];
    for (let start = 0; start < regions.count; start += AT_ONCE) {
      const count = Math.min(AT_ONCE, regions.count - start);
      const rows = new Float32Array(count * numbers);
      for (let i = 0; i < count; i += 1) {
        writeItem(regions, start + i, variant.blocks, pixels, rowDraws(0, 0, 0), rows, i * numbers);
      }
      const noise = new Float32Array(count * seen * variant.latents);
      loadAddon().random.fillNormal(noise, BigInt(picture), 1, BigInt(start));
      const feeds = {
        [ROWS]: { dtype: 'float32', dims: [count, numbers], data: rows },
        kl_weight: { dtype: 'float32', dims: [], data: Float32Array.of(1) },
        [NOISE]: { dtype: 'float32', dims: [count, seen, variant.latents], data: noise },
      } as const;
      const wanted = new Set(session.inputs.map(({ name }) => name));
      const given = Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name)));
      const found = await session.run(given, [{ name: 'loss' }, { name: 'kl' }]);
      const [one, two] = found.map(({ data }) => Number((data as Float32Array)[0]));
      loss += one! * count;
      kl += two! * count;
    }
    all += loss / regions.count / pictures.length;
    latents += kl / regions.count / pictures.length;
  }
  await session.close();
  return { bitsPerSample: all, ofLatents: latents };
}
