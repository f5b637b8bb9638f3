/** JPEG XL, by libjxl in WebAssembly (the package @jsquash/jxl): 8 bits, in colour. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { optionalPackage } from '../../optional.js';
import { readJpegXlInfo } from './jpeg-xl-header.js';
import type { PictureReader, StoredHeader, StoredPixels } from './stored.js';

interface Decode {
  init(module: unknown): Promise<unknown>;
  default(bytes: ArrayBuffer): Promise<{ width: number; height: number; data: Uint8ClampedArray }>;
}

const NAME = '@jsquash/jxl';
let loaded: Promise<Decode> | undefined;

export const jpegXlReader: PictureReader = {
  async header(bytes, whole) {
    if (!whole) return undefined;
    refuseOthers(bytes);
    const { width, height, channels, colour, alpha } = await decode(bytes);
    return {
      ...{ width, height, channels, colour, alpha },
      sample: 'uint8',
      ...{ pages: 1, orientation: 1, profile: false, sequential: false },
    } satisfies StoredHeader;
  },
  decode,
};

/** @throws Error for what the decoder would cut to 8 bits, or of which it would give the first frame. */
function refuseOthers(bytes: Uint8Array): void {
  const { bits, float, animated } = readJpegXlInfo(bytes);
  if (float || bits !== 8) {
    const what = float ? `floats of ${bits} bits` : `values of ${bits} bits`;
    throw new Error(
      `JPEG XL with ${what}; it is read with 8 bits only. Convert it: djxl IN OUT.${float ? 'pfm' : 'png'}`,
    );
  }
  if (animated)
    throw new Error(
      'an animated JPEG XL, which is not read. Convert it: djxl IN OUT.apng, then ffmpeg -i OUT.apng frame-%04d.png',
    );
}

async function decode(bytes: Uint8Array): Promise<StoredPixels> {
  loaded ??= load();
  const decoder = await loaded.catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  const { width, height, data } = await decoder.default(Uint8Array.from(bytes).buffer);
  const alpha = data.some((value, at) => at % 4 === 3 && value !== 255);
  const grey = !data.some((value, at) => at % 4 < 2 && value !== data[at + 1]);
  const channels = (grey ? 1 : 3) + (alpha ? 1 : 0);
  const out = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    for (let k = 0; k < channels; k += 1) {
      out[pixel * channels + k] = data[4 * pixel + (alpha && k === channels - 1 ? 3 : k)]!;
    }
  }
  return { width, height, channels, colour: grey ? 'grey' : 'rgb', alpha, data: out };
}

async function load(): Promise<Decode> {
  const script = `${NAME}/decode.js`;
  const decoder = await optionalPackage(
    NAME,
    () => import(script) as Promise<Decode>,
    'a JPEG XL picture',
    'convert it: djxl IN OUT.png',
  );
  // Made for browsers: outside of them it needs its module as bytes.
  const wasm = createRequire(import.meta.url).resolve(`${NAME}/codec/dec/jxl_dec.wasm`);
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { compile(bytes: Uint8Array): Promise<unknown> } };
  await decoder.init(await WebAssembly.compile(await readFile(wasm)));
  return decoder;
}
