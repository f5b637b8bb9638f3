/** JPEG XL: 8 bits are read, everything that the decoder would cut is refused. The files are cjxl's (libjxl 0.7), without loss. */
import { describe, expect, it } from 'vitest';
import { decodePixels, readPictureHeader } from '../../src/data/image/pixels.js';
import { readJpegXlInfo } from '../../src/data/image/readers/jpeg-xl-header.js';

/** 6 × 5 grey values 0, 1, 2, …; 0, 30, 60, … of 1023; 0, 130, 260, … of 4095; 0, 2000, 4000, … of 65535. */
const GREY8 = '/wogIBAUFwIIAgEATABLEsWChSQOUb2Kg/kE/g5LGlgS';
const GREY10 = '/wogIBQUFwIIAgEARABLEsWChSSKDdGH5KZutKQlAQ==';
const GREY12 = '/wogIBgUFwIIAgEAhABLEsWChSRSQu6akCS53sNGAABofn70giFQUIY6EdqSKxg=';
const GREY16_IN_BOXES =
  'AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAAJanhsbAoAAABTanhsY/8KICD8AMWFCAIBAPQASxLFgoUkVoaWGyl9NqDHtOAI0IAGNKAB/RXu4vTIOxa3aKwXxOcGFQHaagrigA6igAa03RbEl0O4EaANDQ==';
/** 8 × 8. */
const FLOAT =
  'AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAAJanhsbAoAAADeanhsY/8KQcgBxYUIAgEAJANLEsWChSQab7YtFULT0DF4t+0njiGInndaokHnNzMzCzAzA5oZzMxgZgYzM5iZAc2sX2amZ2ZG/wFT4VKdd6FZCjd8TBVZ7X0nu1QsHcgHiQBGCdHow8zsvLo0v2vdq59WcTE4fqtYhXoUEp36ePQlzq31dpjl0xzdYLIBLIWgMAG4WsA+v15QDlxK+jFMAN7Mpiaz20r25w5LhHmUoL0LSvUJAJzJYjAvTBQVa699kW1Q8jJy36/5I/QJi9xbAkQl45aWQeH4jAE=';
/** Five frames. */
const ANIMATED =
  '/wpPBAFYUFwSCAigAgAAeAErWZGCgsI9SwDnyq12CQpQ+3dK3quPeHfQwXCH4EloN/RpEo3rRQ/a1R8fD8aGY26+BJdHyP4hej1Ls9TX6bEOeejSE0fP/8VZSIENG2MwaWNw7AEAG+0GoLvGPj8fCAigAgAAeAErWZGCgsI9SwDnyq12CQpQ+3dK3quPeHfQwXCH4EloN/RpEo3rRQ/a1R8fD8aGY26+BJdHyP4hej1Ls9TX6bEOeejSE0fP/8VZSIENG2MwcWOMewDAR7sBxOLgSp8PCAigAgAAdAErWZGCgsI9SwDnyq12CQpQ+3dK3quPeHfQwXCH4EloN/RpEo3rRQ/a1R8fD8aGY26+BJdHyP4hej1Ls9TX6bEOeejSE0fP/8VZSIENG2MwdeMeABDSboBsG7SNzwcICKBCAABkAStZkYKCwj1LAOfKrXYJClD7d0req494d9DBcIfgSWg39GkSjetFD9rVHx8PxoZjbr4El0fI/iF6PUuz1NfpsQ556NITR8//xVlIsR3/fwDACAgAJkrBK1Uf';

const bytesOf = (file: string) => Buffer.from(file, 'base64');

describe('JPEG XL', () => {
  it('of 8 bits has the values that were written', async () => {
    const { width, height, colour, data } = await decodePixels({ bytes: bytesOf(GREY8), name: 'a.jxl' });
    expect({ width, height, colour }).toEqual({ width: 6, height: 5, colour: 'grey' });
    expect(Array.from(data)).toEqual(Array.from({ length: 30 }, (_, index) => index));
  });

  it.each([
    [
      '10 bits',
      GREY10,
      { bits: 10, float: false, animated: false },
      /JPEG XL with values of 10 bits.*djxl IN OUT\.png/,
    ],
    ['12 bits', GREY12, { bits: 12, float: false, animated: false }, /JPEG XL with values of 12 bits/],
    [
      '16 bits, in boxes',
      GREY16_IN_BOXES,
      { bits: 16, float: false, animated: false },
      /JPEG XL with values of 16 bits/,
    ],
    ['floats', FLOAT, { bits: 32, float: true, animated: false }, /JPEG XL with floats of 32 bits.*djxl IN OUT\.pfm/],
    ['frames', ANIMATED, { bits: 8, float: false, animated: true }, /animated JPEG XL/],
  ])('of %s is refused by what it is', async (_, file, info, message) => {
    const source = { bytes: bytesOf(file), name: 'a.jxl' };
    expect(readJpegXlInfo(source.bytes)).toEqual(info);
    await expect(readPictureHeader(source)).rejects.toThrow(message);
    await expect(decodePixels(source)).rejects.toThrow(message);
  });

  it('that is cut short is called that', async () => {
    for (const length of [2, 3, 20]) {
      const bytes = bytesOf(GREY16_IN_BOXES).subarray(0, length);
      expect(() => readJpegXlInfo(bytes), String(length)).toThrow(/ends inside its header|no codestream/);
    }
  });
});
