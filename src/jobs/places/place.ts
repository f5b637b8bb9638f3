/** Where inputs and outputs lie: a file system, or buckets by the S3 protocol. The same few calls for both. */

/** A file that was found. */
export interface FoundInput {
  /** Absolute path, or s3://bucket/key. Bytes that are no UTF-8 as core/byte-names.ts has them. */
  readonly path: string;
  /** Path within what was given, with `/` between its parts; of single files their name. */
  readonly name: string;
  readonly size: number;
  /** What changes when the file does: its time, or its ETag. */
  readonly state: string;
}

/** Gives memory for so many bytes, which holds anything at first. */
export type Lend = (length: number) => Uint8Array;

/** An open file of which any range can be read. */
export interface OpenInput {
  readonly path: string;
  readonly size: number;
  readonly state: string;
  /**
   * Exactly these bytes, in memory of `lend` where that is of use.
   *
   * @throws VaeError ERR_VAE_FORMAT where the file ends before.
   */
  read(offset: number, length: number, signal?: AbortSignal, lend?: Lend): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Reading: every path is absolute, or a URL of this place. */
export interface Storage {
  /** What lies there; undefined: nothing. */
  stat(path: string): Promise<{ readonly kind: 'file' | 'folder'; readonly file?: FoundInput } | undefined>;
  /** Everything below a folder, in the order of names, part by part and byte by byte; hidden files too where asked. */
  walk(folder: string, options: WalkOptions): AsyncIterable<FoundInput>;
  open(path: string): Promise<OpenInput>;
  /** The whole file; what it changes by when it was read. */
  readWhole(path: string, signal?: AbortSignal): Promise<WholeFile>;
  /**
   * Small files, all at once, where that costs less than one by one; undefined for each that is not small or could not be
   * read: readWhole() reads it, or tells why not.
   */
  readSmall?(paths: readonly string[]): Promise<readonly (WholeFile | undefined)[]>;
}

export interface WholeFile {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly state: string;
}

/** Files that are read together with others have so many bytes at most. */
export const SMALL_FILE_BYTES = 1 << 18;

export interface WalkOptions {
  readonly hidden: boolean;
  /** Folder for sorting what is too long for memory. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
}

/** Writing: a folder of a job. Names are relative, with `/` between their parts. */
export interface Place {
  /** Absolute path, or s3://bucket/prefix without a `/` at its end. */
  readonly url: string;
  /** The whole file; undefined where there is none. */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** Lines of a text file, as a stream; undefined where there is none. */
  size(name: string): Promise<number | undefined>;
  /** Writes a file, which appears under its name only when it is whole. */
  write(name: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /** Names within a folder, without those of folders; in order. */
  names(folder: string): AsyncIterable<string>;
  remove(name: string): Promise<void>;
  /** Folder of this machine for files that become part of the place: on the same disk where it is a local one. */
  readonly local: string | undefined;
}
