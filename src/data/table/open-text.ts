/** Text files as UTF-8, in pieces, whatever their size, compression and encoding. */

import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { TextDecoder, TextEncoder } from 'node:util';
import { createGunzip } from 'node:zlib';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { refusePointer } from '../../core/lfs.js';
import { refuseOutOfMemory } from '../../core/memory.js';
import { readHead } from '../../core/ranges.js';

/** Read at once: long enough for the parser to be at its speed, short enough for an abort to be seen. */
const PIECE_BYTES = 1 << 20;

/** Names of encodings beside those that TextDecoder knows. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'utf-16': 'utf-16le',
  'latin-1': 'latin1',
  cp1252: 'windows-1252',
};

/** @throws VaeError ERR_VAE_OPTION for an encoding of that name that is not known. */
function checkEncoding(encoding: string): string {
  const name = OTHER_NAMES[encoding.toLowerCase()] ?? encoding;
  try {
    return new TextDecoder(name).encoding;
  } catch {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `The encoding "${encoding}" is not known; known are utf-8, utf-16le, utf-16be, latin1, windows-1252 and the others of the Encoding Standard.`,
    );
  }
}

/**
 * The bytes of a text file in UTF-8 without its mark, piece by piece; gunzipped where it is gzip by its first bytes.
 *
 * @throws VaeError ERR_VAE_IO; ERR_VAE_FORMAT for bytes that are no text in the encoding, damaged gzip data, and pointers
 *   of Git LFS; ERR_VAE_DATA for an empty file.
 */
export async function* readText(
  path: string,
  {
    encoding,
    signal,
    bytes,
  }: {
    readonly encoding?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    /** The file itself, where it is in memory. */
    readonly bytes?: Uint8Array | undefined;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  let decode: ((piece: Uint8Array, last: boolean) => Uint8Array) | undefined;
  try {
    for await (const piece of bytes === undefined ? rawPieces(path, signal) : piecesOf(bytes)) {
      if (decode === undefined) {
        refusePointer(piece, path);
        decode = decoderOf(piece, encoding, path);
      }
      yield decode(piece, false);
    }
    if (decode === undefined) throw new VaeError('ERR_VAE_DATA', `${path}: the file is empty (0 bytes).`);
    yield decode(new Uint8Array(0), true);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof VaeError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_')) {
      throw new VaeError('ERR_VAE_FORMAT', `${path}: damaged or truncated gzip data (${code}).`, { cause: error });
    }
    throw ioError(error, `reading ${path}`);
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* rawPieces(path: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const start = await readHead(path, 2);
  const raw = createReadStream(path, { highWaterMark: PIECE_BYTES, ...(signal && { signal }) });
  if (start[0] !== 0x1f || start[1] !== 0x8b) {
    yield* raw as AsyncIterable<Uint8Array>;
    return;
  }
  const unzipped = raw.pipe(createGunzip({ chunkSize: PIECE_BYTES }));
  raw.once('error', (error) => unzipped.destroy(error));
  yield* unzipped as AsyncIterable<Uint8Array>;
}

/** A function from pieces of the file to pieces of UTF-8, by the mark at its beginning or as it is told. */
function decoderOf(
  first: Uint8Array,
  given: string | undefined,
  path: string,
): (piece: Uint8Array, last: boolean) => Uint8Array {
  const encoding = markOf(first) ?? (given === undefined ? 'utf-8' : checkEncoding(given));
  if (encoding === 'utf-8') return utf8Pieces(path);
  const decoder = new TextDecoder(encoding, { fatal: true });
  const encoder = new TextEncoder();
  return (piece, last) => {
    try {
      return encoder.encode(decoder.decode(piece, { stream: !last }));
    } catch (cause) {
      refuseOutOfMemory(cause, path);
      throw new VaeError('ERR_VAE_FORMAT', `${path}: not a text file in ${encoding}. Give its encoding (encoding).`, {
        cause,
      });
    }
  };
}

function markOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return undefined;
}

/** Checks that pieces are UTF-8, wherever characters are cut in two, and leaves out the mark. */
function utf8Pieces(path: string): (piece: Uint8Array, last: boolean) => Uint8Array {
  let rest = new Uint8Array(0);
  let place = 0;
  let begun = false;
  return (piece, last) => {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    const whole = last ? bytes.length : bytes.length - unfinished(bytes);
    let text = bytes.subarray(0, whole);
    rest = new Uint8Array(bytes.subarray(whole));
    if (!isUtf8(text)) refuse(path, text, place);
    const zero = place < 4096 ? text.subarray(0, 4096).indexOf(0) : -1;
    if (zero >= 0) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${path}: not a text file in UTF-8: byte ${place + zero} is zero. Is this a table? Spreadsheets must be exported as CSV first; ` +
          'text in UTF-16 without a mark needs its encoding (encoding: "utf-16le").',
      );
    }
    place += whole;
    if (!begun && text.length > 0) {
      begun = true;
      if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) text = text.subarray(3);
    }
    return text;
  };
}

/** Bytes at the end that begin a character and do not end it. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

function refuse(path: string, text: Uint8Array, place: number): never {
  const line = lineOfFirstBad(text);
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${path}: not a text file in UTF-8: it has bytes that are no characters${place === 0 ? `, first in line ${line}` : ''}. ` +
      'Say how it is encoded, for instance encoding: "latin1" (--encoding latin1), or convert it (iconv -f latin1 -t utf-8).',
  );
}

function lineOfFirstBad(text: Uint8Array): number {
  let line = 1;
  let start = 0;
  for (;;) {
    const end = text.indexOf(10, start);
    if (!isUtf8(text.subarray(start, end < 0 ? text.length : end))) return line;
    if (end < 0) return line;
    start = end + 1;
    line += 1;
  }
}
