/** A model of text: an alphabet of fifteen bytes that are coded in four bits; others in twelve. */
import { createHash } from 'node:crypto';
import type { ModelClass } from '../../../src/codecs/models/find.js';
import { VaeError } from '../../../src/core/errors.js';

const ESCAPE = 15;

export class Alphabet {
  readonly file: Uint8Array;
  readonly identity: string;
  closed = false;

  constructor(readonly letters: string) {
    this.file = Buffer.from(JSON.stringify({ letters }));
    this.identity = createHash('sha256').update(this.file).digest('hex');
  }

  encode(bytes: Uint8Array): Uint8Array {
    const halves = Array.from(bytes).flatMap((byte) => {
      const at = this.letters.indexOf(String.fromCharCode(byte));
      return at >= 0 ? [at] : [ESCAPE, byte >> 4, byte & 15];
    });
    const out = Buffer.alloc(4 + Math.ceil(halves.length / 2));
    out.writeUInt32LE(halves.length);
    for (const [index, half] of halves.entries()) out[4 + (index >> 1)]! |= half << (4 * (index & 1));
    return out;
  }

  decode(data: Uint8Array): Uint8Array {
    const view = Buffer.from(data);
    const halves = Array.from(
      { length: view.readUInt32LE() },
      (_, index) => (view[4 + (index >> 1)]! >> (4 * (index & 1))) & 15,
    );
    const out: number[] = [];
    for (let at = 0; at < halves.length; at += 1) {
      if (halves[at] !== ESCAPE) out.push(this.letters.charCodeAt(halves[at]!));
      else {
        out.push((halves[at + 1]! << 4) | halves[at + 2]!);
        at += 2;
      }
    }
    return Uint8Array.from(out);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export const ALPHABETS: ModelClass<Alphabet> = {
  ...{ called: 'an Alphabet', file: 'alphabet.json' },
  is: (value) => value instanceof Alphabet,
  async fromBytes(bytes, where) {
    try {
      return new Alphabet((JSON.parse(Buffer.from(bytes).toString()) as { letters: string }).letters);
    } catch (cause) {
      throw new VaeError('ERR_VAE_FORMAT', `${where} is no alphabet.`, { cause });
    }
  },
};
