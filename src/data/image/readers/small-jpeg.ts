/**
 * Small JPEG files by libjpeg-turbo in WebAssembly: a pipeline of libvips costs ten times what decoding them does. It is
 * the library that libvips decodes JPEG with, and gives the same values.
 */
import { createRequire } from 'node:module';
import type { StoredHeader, StoredPixels } from './stored.js';

interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  getFrameInfo(): { readonly width: number; readonly height: number; readonly componentCount: number };
}
type Factory = (module: {
  readonly locateFile: () => string;
  readonly print: (text: string) => void;
  readonly printErr: (text: string) => void;
}) => Promise<{ JPEGDecoder: new () => Decoder }>;

const NAME = '@cornerstonejs/codec-libjpeg-turbo-8bit';
/** Above, libvips works on threads of its own and is as fast; this decoder has the JavaScript thread only. */
const MOST_PIXELS = 1 << 16;
const MOST_BYTES = 1 << 18;
/** What it throws for a bad file leaves memory of the module behind: after so many, there is a new one. */
const MOST_FAILURES = 32;

let loading: Promise<Decoder | undefined> | undefined;
let failures = 0;

/**
 * @returns undefined for a file that is not for this decoder, or that it has anything to say of: damaged, truncated,
 *   bytes too many. Then it is for libvips to say what is wrong.
 */
export async function decodeSmallJpeg(bytes: Uint8Array, header: StoredHeader): Promise<StoredPixels | undefined> {
  const { width, height, channels, colour, sample } = header;
  if (width * height > MOST_PIXELS || bytes.length > MOST_BYTES) return undefined;
  if (sample !== 'uint8' || (channels !== 1 && channels !== 3)) return undefined;
  loading ??= load().catch(() => undefined);
  const decoder = await loading;
  if (decoder === undefined) return undefined;
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const found = decoder.getFrameInfo();
    if (found.width !== width || found.height !== height || found.componentCount !== channels) return undefined;
    const data = Uint8Array.from(decoder.getDecodedBuffer());
    return data.length === width * height * channels
      ? { width, height, channels, colour, alpha: false, data }
      : undefined;
  } catch {
    failures += 1;
    if (failures % MOST_FAILURES === 0) loading = undefined;
    return undefined;
  }
}

/** By a name that is no literal: where a bundler leaves the package out, libvips decodes these files too. */
async function load(): Promise<Decoder> {
  const { resolve } = createRequire(import.meta.url);
  const script = `${NAME}/decodewasmjs`;
  const { default: factory } = (await import(script)) as { default: Factory };
  const silent = (): void => {};
  const wasm = resolve(`${NAME}/decodewasm`);
  const module = await factory({ locateFile: () => wasm, print: silent, printErr: silent });
  return new module.JPEGDecoder();
}
