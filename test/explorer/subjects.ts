/** A small data set of each kind, as files, and a model of it, made in a second. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePng } from '../../src/data/image/encode.js';
import { Y4mWriter } from '../../src/data/video/y4m.js';
import { type Dataset, modelOptionsFor, readDataset, Vae, WavWriter } from '../../src/index.js';

export interface MadeSubject {
  readonly vae: Vae;
  readonly data: Dataset;
  /** A file of the kind, to be dropped on the page. */
  readonly file: string;
}

const COUNT = 60;

/** Red, green and blue discs on a slope of grey, PNG of 16×16. */
export async function colourPictures(folder: string): Promise<MadeSubject> {
  const side = 16;
  for (let index = 0; index < COUNT; index += 1) {
    const kind = index % 3;
    const at = join(folder, ['red', 'green', 'blue'][kind]!);
    await mkdir(at, { recursive: true });
    const [x, y] = [4 + (index % 8), 4 + (Math.floor(index / 3) % 8)];
    const data = new Uint8Array(3 * side * side);
    for (let pixel = 0; pixel < side * side; pixel += 1) {
      const [px, py] = [pixel % side, Math.floor(pixel / side)];
      const disc = (px - x) ** 2 + (py - y) ** 2 < 9;
      for (let channel = 0; channel < 3; channel += 1)
        data[3 * pixel + channel] = disc ? (channel === kind ? 230 : 30) : 60 + 4 * py;
    }
    await writeFile(join(at, `${index}.png`), await encodePng({ width: side, height: side, channels: 3, data }));
  }
  return made(folder, join(folder, 'red', '0.png'), {
    architecture: { type: 'conv', channels: [8, 16] },
    latentDim: 4,
  });
}

/** Petals by length and kind; a cell is missing here and there. */
export async function table(folder: string): Promise<MadeSubject> {
  const lines = ['length,width,kind,group'];
  for (let index = 0; index < COUNT; index += 1) {
    const length = (1 + (index % 10) / 3).toFixed(2);
    lines.push(
      `${length},${index % 11 === 0 ? '' : (index % 7) / 2},${['long', 'short', 'round'][index % 3]},${index % 2 ? 'a' : 'b'}`,
    );
  }
  const file = join(folder, 'petals.csv');
  await writeFile(file, `${lines.join('\n')}\n`);
  const dropped = join(folder, 'one.csv');
  await writeFile(dropped, 'length,width,kind,group\n2.5,1,round,a\n');
  return made(file, dropped, { latentDim: 3 }, { table: { label: 'group' } });
}

/** Tones of some pitches, WAV at 8 kHz. */
export async function tones(folder: string): Promise<MadeSubject> {
  for (let index = 0; index < 8; index += 1) {
    const wav = await WavWriter.create(join(folder, `${index}.wav`), { sampleRate: 8000, channels: 1 });
    const samples = new Float32Array(4096);
    for (let at = 0; at < samples.length; at += 1)
      samples[at] = 0.5 * Math.sin((at * 2 * Math.PI * (200 + 100 * index)) / 8000);
    await wav.write(samples);
    await wav.close();
  }
  return made(
    folder,
    join(folder, '0.wav'),
    { architecture: { type: 'conv1d', channels: [8, 8] }, latentDim: 4 },
    { audio: { frame: 512 } },
  );
}

/** A square that moves, .y4m of 16×16. */
export async function clips(folder: string): Promise<MadeSubject> {
  for (let index = 0; index < 4; index += 1) {
    const video = await Y4mWriter.create(join(folder, `${index}.y4m`), {
      width: 16,
      height: 16,
      rate: [12, 1],
      grey: true,
    });
    for (let frame = 0; frame < 24; frame += 1) {
      const plane = new Uint8Array(256).fill(20);
      for (let pixel = 0; pixel < 256; pixel += 1) {
        const [x, y] = [pixel % 16, Math.floor(pixel / 16)];
        if (Math.abs(x - ((frame + 3 * index) % 16)) < 3 && Math.abs(y - 8) < 3) plane[pixel] = 220;
      }
      await video.write(plane);
    }
    await video.close();
  }
  return made(
    folder,
    join(folder, '0.y4m'),
    { architecture: { type: 'conv3d', channels: [8, 8] }, latentDim: 4 },
    { video: { frames: 8 } },
  );
}

async function made(path: string, file: string, model: object, reading: object = {}): Promise<MadeSubject> {
  const data = await readDataset(path, reading);
  const vae = await Vae.create({ ...(await modelOptionsFor(data)), ...model, seed: 1 } as Parameters<
    typeof Vae.create
  >[0]);
  await vae.fit(data, { epochs: 4, batchSize: 16 });
  return { vae, data, file };
}
