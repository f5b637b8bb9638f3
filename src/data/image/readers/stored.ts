/** What the readers of picture formats give: values as the file has them. */

export type Samples = Uint8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** What the values of a picture are. */
export type SampleType = 'uint8' | 'uint16' | 'int16' | 'uint32' | 'int32' | 'float32' | 'float64';

export type ColourModel = 'grey' | 'rgb' | 'cmyk' | 'bands';

/** What a picture file says of itself, before its pixels are looked at. Sides are those in the file, not turned. */
export interface StoredHeader {
  readonly width: number;
  readonly height: number;
  /** Values of a pixel, with alpha. */
  readonly channels: number;
  readonly colour: ColourModel;
  readonly alpha: boolean;
  readonly sample: SampleType;
  /** Bits that values use, where the file says so: 12 of 16. */
  readonly bits?: number | undefined;
  /** Pages or frames of these sides. */
  readonly pages: number;
  /** EXIF, 1 to 8. */
  readonly orientation: number;
  /** Whether a colour profile other than sRGB is embedded. */
  readonly profile: boolean;
  /** Whether it can be decoded from top to bottom, without holding all of it. */
  readonly sequential: boolean;
}

/** Pixels as stored: [height, width, channels]. */
export interface StoredPixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly colour: ColourModel;
  readonly alpha: boolean;
  readonly data: Samples;
}

export interface DecodeStored {
  /** From 0. */
  readonly page: number;
  /** Sides to bring it to where the format can do that while decoding. */
  readonly size?:
    | { readonly width: number; readonly height: number; readonly fit: 'cover' | 'contain' | 'fill' }
    | undefined;
  /** Called with what is odd about a file that can be read all the same. */
  readonly warn: (why: string) => void;
  readonly header: StoredHeader;
}

/** One format's reader. Both throw plain errors that say what is wrong, without the name of the file. */
export interface PictureReader {
  /**
   * @param bytes the beginning of the file, or all of it where `whole`.
   * @returns undefined where more bytes are needed.
   */
  header(bytes: Uint8Array, whole: boolean): Promise<StoredHeader | undefined> | StoredHeader | undefined;
  decode(bytes: Uint8Array, options: DecodeStored): Promise<StoredPixels>;
}
