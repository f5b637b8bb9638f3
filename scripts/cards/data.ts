/** Real data for the cards' short training runs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArrayWithShape, type Dataset, VaeError } from '../../src/index.js';
import { loadData } from '../reproduce/data.js';

export interface CardData {
  readonly train: Dataset | ArrayWithShape;
  readonly test: ArrayWithShape;
}

export async function images(name: 'mnist' | 'fashion-mnist', count: number): Promise<CardData> {
  const { train, test } = await loadData(name);
  const shown = await test.read(Array.from({ length: 200 }, (_, row) => row));
  return { train: train.take(count), test: { data: shown, shape: [200, ...test.rowShape] } };
}

const FRAMES = 7;
const SIDE = 18;
const INNER = 14;

/** Digits of half size that move in a straight line and come back from the edges: [N, 1, 7, 18, 18]. */
export async function movingDigits(count: number): Promise<CardData> {
  const { train, test } = await loadData('mnist');
  const clips = async (digits: Dataset, wanted: number): Promise<ArrayWithShape> => {
    const rows = await digits.read(Array.from({ length: wanted }, (_, row) => row));
    const data = new Uint8Array(wanted * FRAMES * SIDE * SIDE);
    for (let clip = 0; clip < wanted; clip += 1) {
      // A path of its own for every clip, without a random number generator.
      const turn = (clip * 2654435761) >>> 0;
      const room = SIDE - INNER + 1;
      let [x, y] = [turn % room, (turn >>> 8) % room];
      let [dx, dy] = [((turn >>> 16) % 3) - 1, ((turn >>> 20) % 3) - 1];
      for (let frame = 0; frame < FRAMES; frame += 1) {
        for (let row = 0; row < INNER; row += 1) {
          for (let column = 0; column < INNER; column += 1) {
            const at = clip * 784 + 56 * row + 2 * column;
            const value = (rows[at]! + rows[at + 1]! + rows[at + 28]! + rows[at + 29]!) / 4;
            data[((clip * FRAMES + frame) * SIDE + y + row) * SIDE + x + column] = value;
          }
        }
        if (x + dx < 0 || x + dx > SIDE - INNER) dx = -dx;
        if (y + dy < 0 || y + dy > SIDE - INNER) dy = -dy;
        x += dx;
        y += dy;
      }
    }
    return { data, shape: [wanted, 1, FRAMES, SIDE, SIDE] };
  };
  return { train: await clips(train, count), test: await clips(test, 60) };
}

const SOUNDS = '/usr/share/sounds/alsa';
const SPOKEN = ['Front_Center', 'Front_Left', 'Rear_Center', 'Rear_Left', 'Rear_Right', 'Side_Left', 'Side_Right'];
const FRAME = 512;

/** Spoken words of Debian's alsa-utils at 16 kHz, in frames of 512: [N, 1, 512]; one word is kept for the test. */
export async function speech(): Promise<CardData> {
  const frames = async (names: readonly string[], hop: number): Promise<ArrayWithShape> => {
    const all: Float32Array[] = [];
    for (const name of names) {
      const sound = await readSound(join(SOUNDS, `${name}.wav`));
      for (let from = 0; from + FRAME <= sound.length; from += hop) all.push(sound.subarray(from, from + FRAME));
    }
    const data = new Float32Array(all.length * FRAME);
    all.forEach((frame, index) => {
      data.set(frame, index * FRAME);
    });
    return { data, shape: [all.length, 1, FRAME] };
  };
  return { train: await frames(SPOKEN, 64), test: await frames(['Front_Right'], FRAME) };
}

/** 48 kHz, 16 bit, mono, as those files are; every three samples averaged, in units of a tenth of full scale. */
async function readSound(path: string): Promise<Float32Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new VaeError('ERR_VAE_IO', `${path} is missing: install Debian's alsa-utils.`, { cause });
  });
  const start = bytes.indexOf('data', 0, 'latin1') + 8;
  const length = Math.floor((bytes.length - start) / 6);
  return Float32Array.from({ length }, (_, index) => {
    const at = start + index * 6;
    return (bytes.readInt16LE(at) + bytes.readInt16LE(at + 2) + bytes.readInt16LE(at + 4)) / 3 / 3276.8;
  });
}
