/** Some pictures to a record of an archive and back. */

import {
  decodeNames,
  type EncodedRecord,
  encodeNames,
  hasChecksum,
  makeRecord,
  splitPayload,
} from '../../archive/chunk.js';
import { damaged, type RecordHeader } from '../../archive/format.js';
import type { DecodedLatents, LossyCodec } from './lossy-codec.js';
import { decodePictureHeader, encodePictureHeader, type PictureHeader } from './picture.js';

const LENGTH_BYTES = 4;

/** A coded picture and its latents, which the checksum is of: they are the same on every machine. */
export interface CodedPicture {
  readonly bytes: Uint8Array;
  readonly latents: DecodedLatents;
  readonly name: string;
}

/** The checksum covers what decodes to the same everywhere: headers, latents, names. */
export async function encodePictureChunk(pictures: readonly CodedPicture[]): Promise<EncodedRecord> {
  const lengths = Buffer.alloc(LENGTH_BYTES * pictures.length);
  pictures.forEach(({ bytes }, index) => {
    lengths.writeUInt32LE(bytes.length, LENGTH_BYTES * index);
  });
  return makeRecord({
    ...{ kind: 'chunk', items: pictures.length, names: encodeNames(pictures.map(({ name }) => name)) },
    checked: pictures.flatMap(({ latents }) => checkedBytes(latents)),
    candidates: [['coded', Buffer.concat([lengths, ...pictures.map(({ bytes }) => bytes)])]],
  });
}

/** A chunk's pictures, decoded as far as every machine decodes the same, and compared with the checksum. */
export interface DecodedPictureChunk {
  readonly pictures: readonly DecodedLatents[];
  readonly names: readonly string[];
}

/** @throws VaeError ERR_VAE_FORMAT when the payload is damaged or is not what its checksum says. */
export async function decodePictureChunk(
  codec: LossyCodec,
  record: RecordHeader,
  payload: Uint8Array,
): Promise<DecodedPictureChunk> {
  if (record.method !== 'coded') throw damaged('pictures are coded by a model, these are not');
  const { names: block } = await splitPayload(record, payload);
  const names = decodeNames(block, record.items);
  if (names === undefined) throw damaged('its pictures have no names');
  const pictures: DecodedLatents[] = [];
  for (const bytes of pictureBytes(record, payload)) pictures.push(await codec.decodeLatents(bytes));
  if (!hasChecksum(record.checksum, ...pictures.flatMap(checkedBytes), block)) {
    throw damaged('decoded latents do not have the checksum that was written with them');
  }
  return { pictures, names };
}

/** The bytes that each picture of a chunk is coded to. @throws VaeError ERR_VAE_FORMAT */
export function pictureBytes(record: RecordHeader, payload: Uint8Array): Uint8Array[] {
  const data = payload.subarray(record.namesBytes);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = LENGTH_BYTES * record.items;
  if (data.length < at) throw damaged('a chunk of pictures ends before its lengths do');
  const pictures: Uint8Array[] = [];
  for (let index = 0; index < record.items; index += 1) {
    const end = at + view.getUint32(LENGTH_BYTES * index, true);
    if (end > data.length) throw damaged('a picture is longer than its chunk');
    pictures.push(data.subarray(at, end));
    at = end;
  }
  if (at !== data.length) throw damaged('a chunk of pictures is longer than they are');
  return pictures;
}

/** The sizes of a chunk's pictures, without decoding them. @throws VaeError ERR_VAE_FORMAT */
export function pictureHeaders(record: RecordHeader, payload: Uint8Array): PictureHeader[] {
  const data = payload.subarray(record.namesBytes);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = LENGTH_BYTES * record.items;
  if (data.length < at) throw damaged('a chunk of pictures ends before its lengths do');
  return Array.from({ length: record.items }, (_, index) => {
    const { header } = decodePictureHeader(data.subarray(at));
    at += view.getUint32(LENGTH_BYTES * index, true);
    return header;
  });
}

function checkedBytes({ header, latents: { data } }: DecodedLatents): Uint8Array[] {
  return [encodePictureHeader(header), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}
