/** Other lossless compressors on the same items, as far as they come with Node or this package: gzip, brotli, WebP. */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { encodeLosslessWebp } from '../../data/image/encode.js';
import { decodePixels } from '../../data/image/pixels.js';
import { fromPicture, noPicture, type PeerItems, type PeerPicture, toPicture } from './mosaic.js';

/** What another compressor is given. */
export interface PeerInput extends PeerItems {
  /** All items side by side in one picture, for image formats; a string where they make none says why. */
  readonly picture: () => PeerPicture | string;
  /** The items of such a picture. */
  readonly itemsOf: (picture: Uint8Array) => Buffer;
  readonly signal?: AbortSignal | undefined;
}

/** A compressor to measure beside a codec: what it makes of the items, and those items again. */
export interface Peer {
  readonly name: string;
  /** Why it cannot take part, or undefined. */
  obstacle(input: PeerInput): Promise<string | undefined>;
  compress(input: PeerInput): Promise<Buffer>;
  decompress(bytes: Buffer, input: PeerInput): Promise<Buffer>;
}

/** Items as a peer gets them. */
export function peerInput(items: PeerItems, signal?: AbortSignal): PeerInput {
  return {
    ...items,
    picture: () => noPicture(items) ?? toPicture(items),
    itemsOf: (picture) => fromPicture(picture, items),
    signal,
  };
}

const [gzip, gunzip] = [promisify(zlib.gzip), promisify(zlib.gunzip)];
const [brotli, unbrotli] = [promisify(zlib.brotliCompress), promisify(zlib.brotliDecompress)];

const webp: Peer = {
  name: 'WebP lossless',
  obstacle: async (input) => noPicture(input),
  async compress(input) {
    const { data, width, height, channels } = toPicture(input);
    return encodeLosslessWebp({ data, width, height, channels: channels as 1 | 3 });
  },
  async decompress(bytes, input) {
    const pixels = await decodePixels({ bytes, name: 'WebP' }, { maxPixels: Number.MAX_SAFE_INTEGER });
    const data = pixels.data as Uint8Array;
    const { channels } = toPicture(input);
    // WebP has no grey: one of the three equal colours is what went in.
    if (pixels.channels === channels) return fromPicture(data, input);
    const grey = Buffer.alloc(data.length / pixels.channels);
    for (let i = 0; i < grey.length; i += 1) grey[i] = data[i * pixels.channels]!;
    return fromPicture(grey, input);
  },
};

export const PEERS: readonly Peer[] = [
  {
    name: 'gzip -9',
    obstacle: async () => undefined,
    compress: ({ items }) => gzip(items, { level: 9 }),
    decompress: (bytes) => gunzip(bytes),
  },
  {
    name: 'brotli -11',
    obstacle: async () => undefined,
    compress: ({ items }) =>
      brotli(items, {
        params: {
          [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
          [zlib.constants.BROTLI_PARAM_LGWIN]: 24,
          [zlib.constants.BROTLI_PARAM_SIZE_HINT]: items.length,
        },
      }),
    decompress: (bytes) => unbrotli(bytes),
  },
  webp,
];
