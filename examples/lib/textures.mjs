// Textures to learn where no photographs are at hand: a brick wall, pebbles and grass, drawn from a seed.
import sharp from 'sharp';

const SIDE = 384;

/** Writes FOLDER/bricks.png, pebbles.png and grass.png, and other.png: a picture of something else. */
export async function drawTextures(folder) {
  const names = { bricks, pebbles, grass };
  for (const [name, draw] of Object.entries(names)) {
    const pixels = Uint8Array.from(draw(randomNumbers(1)), (value) =>
      Math.round(255 * Math.min(1, Math.max(0, value))),
    );
    await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(`${folder}/${name}.png`);
  }
  const letters = Array.from(
    { length: 9 },
    (_, line) => `<text x="14" y="${50 + 38 * line}">The quick brown fox ${line}</text>`,
  );
  const svg = `<svg width="${SIDE}" height="${SIDE}" xmlns="http://www.w3.org/2000/svg"><rect width="100%" height="100%" fill="#eee"/><g font-size="32" font-family="sans-serif">${letters.join('')}</g></svg>`;
  await sharp(Buffer.from(svg)).toColourspace('b-w').png().toFile(`${folder}/../other.png`);
  return { pictures: folder, other: `${folder}/../other.png` };
}

/** Numbers from 0 to 1, always the same for a seed. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Every pixel by its place. */
const picture = (at) => Float32Array.from({ length: SIDE * SIDE }, (_, i) => at(i % SIDE, Math.floor(i / SIDE)));

/** Courses of bricks of many shades, each shifted by half a brick, with rough mortar between them. */
function bricks(random) {
  const shades = Float32Array.from({ length: 1024 }, () => 0.35 + 0.25 * random());
  return picture((x, y) => {
    const course = Math.floor(y / 18);
    const along = x + (course % 2) * 20 + 3 * Math.sin(course * 7);
    const mortar = y % 18 < 3 || ((along % 40) + 40) % 40 < 3;
    const shade = shades[(course * 31 + Math.floor(along / 40)) % 1024];
    return (mortar ? 0.8 : shade) + 0.08 * (random() - 0.5);
  });
}

/** Stones: each place belongs to the nearest of many centres, darker towards the edge. */
function pebbles(random) {
  const stones = Array.from({ length: 420 }, () => [SIDE * random(), SIDE * random(), 0.5 + 0.5 * random()]);
  return picture((x, y) => {
    let [nearest, second, shade] = [1e9, 1e9, 0];
    for (const [left, top, own] of stones) {
      const distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance < nearest) [nearest, second, shade] = [distance, nearest, own];
      else if (distance < second) second = distance;
    }
    const edge = Math.min(1, (Math.sqrt(second) - Math.sqrt(nearest)) / 6);
    return shade * edge * (1 - Math.sqrt(nearest) / 60) + 0.03 * random();
  });
}

/** Thousands of thin blades, one over another. */
function grass(random) {
  const values = new Float32Array(SIDE * SIDE).fill(0.15);
  for (let blade = 0; blade < 9000; blade += 1) {
    const [lean, shade] = [0.8 * (random() - 0.5), 0.2 + 0.7 * random()];
    let [x, y] = [SIDE * random(), SIDE * random()];
    for (let step = 0; step < 22; step += 1) {
      values[(Math.floor(y + SIDE) % SIDE) * SIDE + (Math.floor(x + SIDE) % SIDE)] = shade * (1 - step / 40);
      x += lean;
      y -= 1;
    }
  }
  return values;
}
