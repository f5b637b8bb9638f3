/** Some pictures to a record of an archive and back. */

import { checksumOf, decodeNames, type EncodedRecord, encodeNamesBlock, inflate } from '../../archive/chunk.js';
import { damaged, encodeRecord, type RecordHeader } from '../../archive/format.js';
import type { DecodedLatents, LossyCodec } from './lossy-codec.js';
import { encodePictureHeader } from './picture.js';

const LENGTH_BYTES = 4;

/** A coded picture and its latents, which the checksum is of: they are the same on every machine. */
export interface CodedPicture {
  readonly bytes: Uint8Array;
  readonly latents: DecodedLatents;
  readonly name: string;
}

/** The checksum covers what decodes to the same everywhere: headers, latents, names. */
export async function encodePictureChunk(pictures: readonly CodedPicture[]): Promise<EncodedRecord> {
  const names = await encodeNamesBlock(pictures.map(({ name }) => name));
  const lengths = Buffer.alloc(LENGTH_BYTES * pictures.length);
  pictures.forEach(({ bytes }, index) => {
    lengths.writeUInt32LE(bytes.length, LENGTH_BYTES * index);
  });
  const payload = [names.block, lengths, ...pictures.map(({ bytes }) => bytes)];
  const header: RecordHeader = {
    kind: 'chunk',
    method: 'coded',
    items: pictures.length,
    namesBytes: names.block.length,
    namesDecoded: names.decoded.length,
    payloadBytes: payload.reduce((total, part) => total + part.length, 0),
    checksum: checksumOf(...pictures.flatMap(({ latents }) => checkedBytes(latents)), names.decoded),
  };
  return { header, bytes: Buffer.concat([encodeRecord(header), ...payload]) };
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
  const namesDecoded = await inflate(payload.subarray(0, record.namesBytes), record.namesDecoded);
  if (namesDecoded.length !== record.namesDecoded) throw damaged('names have another length than they say');
  const names = decodeNames(namesDecoded, record.items);
  if (names === undefined) throw damaged('its pictures have no names');
  const data = payload.subarray(record.namesBytes);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = LENGTH_BYTES * record.items;
  if (data.length < at) throw damaged('a chunk of pictures ends before its lengths do');
  const pictures: DecodedLatents[] = [];
  for (let index = 0; index < record.items; index += 1) {
    const end = at + view.getUint32(LENGTH_BYTES * index, true);
    if (end > data.length) throw damaged('a picture is longer than its chunk');
    pictures.push(await codec.decodeLatents(data.subarray(at, end)));
    at = end;
  }
  if (at !== data.length) throw damaged('a chunk of pictures is longer than they are');
  const checksum = checksumOf(...pictures.flatMap(checkedBytes), namesDecoded);
  if (!Buffer.from(checksum).equals(record.checksum)) {
    throw damaged('decoded latents do not have the checksum that was written with them');
  }
  return { pictures, names };
}

function checkedBytes({ header, latents: { data } }: DecodedLatents): Uint8Array[] {
  return [encodePictureHeader(header), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}
