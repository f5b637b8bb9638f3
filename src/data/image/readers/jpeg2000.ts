/** JPEG 2000, by OpenJPEG in WebAssembly (the package @cornerstonejs/codec-openjpeg). */
import { optionalPackage } from '../../optional.js';
import type { PictureReader, StoredHeader, StoredPixels } from './stored.js';

interface FrameInfo {
  readonly width: number;
  readonly height: number;
  readonly bitsPerSample: number;
  readonly componentCount: number;
  readonly isSigned: boolean;
}
interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  getFrameInfo(): FrameInfo;
  delete(): void;
}
type Factory = (module: {
  readonly print: (text: string) => void;
  readonly printErr: (text: string) => void;
}) => Promise<{ J2KDecoder: new () => Decoder }>;

export const jpeg2000Reader: PictureReader = {
  header(bytes, whole) {
    return headerOf(bytes, whole);
  },
  async decode(bytes) {
    return decodeJpeg2000(bytes);
  },
};

const SIZ = Buffer.from([0xff, 0x4f, 0xff, 0x51]);

/** ISO/IEC 15444-1, A.5.1: what the codestream's SIZ marker says, wherever the boxes put it. */
function headerOf(bytes: Uint8Array, whole: boolean): StoredHeader | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = view.indexOf(SIZ);
  if (at < 0 || at + 45 > view.length) {
    if (!whole) return undefined;
    throw new Error('it has no codestream');
  }
  const components = view.readUInt16BE(at + 40);
  const bits = (view[at + 42]! & 0x7f) + 1;
  const signed = view[at + 42]! >= 0x80;
  return {
    width: view.readUInt32BE(at + 8) - view.readUInt32BE(at + 16),
    height: view.readUInt32BE(at + 12) - view.readUInt32BE(at + 20),
    channels: components,
    colour: components <= 2 ? 'grey' : 'rgb',
    alpha: components === 2 || components === 4,
    sample: signed ? 'int16' : bits <= 8 ? 'uint8' : 'uint16',
    ...(!signed && bits > 8 && bits < 16 && { bits }),
    ...{ pages: 1, orientation: 1, profile: false, sequential: false },
  };
}

/** Also of pictures that lie in other files, such as DICOM. */
export async function decodeJpeg2000(bytes: Uint8Array): Promise<StoredPixels> {
  const name = '@cornerstonejs/codec-openjpeg';
  const script = `${name}/decodewasmjs`;
  const { default: factory } = await optionalPackage(
    name,
    () => import(script) as Promise<{ default: Factory }>,
    'a JPEG 2000 picture',
    'convert it: opj_decompress -i IN -o OUT.png',
  );
  // It talks to standard output otherwise.
  const silent = (): void => {};
  const decoder = new (await factory({ print: silent, printErr: silent })).J2KDecoder();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount: channels, isSigned } = decoder.getFrameInfo();
    const raw = Uint8Array.from(decoder.getDecodedBuffer());
    const count = width * height * channels;
    const data = bitsPerSample <= 8 ? raw : isSigned ? new Int16Array(raw.buffer) : new Uint16Array(raw.buffer);
    if (width < 1 || data.length < count) throw new Error('its pixels end too early');
    const alpha = channels === 2 || channels === 4;
    return { width, height, channels, colour: channels <= 2 ? 'grey' : 'rgb', alpha, data: data.subarray(0, count) };
  } finally {
    decoder.delete();
  }
}
