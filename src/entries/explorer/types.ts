/** What server and page tell each other, as JSON. Nothing but types: the page is built with them too. */

/** How rows are shown. Values are those of decode(). */
export type Display =
  | {
      readonly kind: 'image';
      readonly channels: number;
      readonly height: number;
      readonly width: number;
      readonly range: readonly [number, number];
    }
  | {
      readonly kind: 'video';
      readonly channels: number;
      readonly frames: number;
      readonly height: number;
      readonly width: number;
      readonly range: readonly [number, number];
      readonly fps: number;
    }
  | {
      readonly kind: 'sound';
      readonly channels: number;
      readonly frame: number;
      readonly sampleRate: number;
      readonly mean: number;
      readonly deviation: number;
      readonly mel?: { readonly fftSize: number; readonly fftHop: number; readonly bands: number } | undefined;
    }
  /** Names and decoded cells come with the rows, as text. */
  | { readonly kind: 'table'; readonly columns: readonly DisplayColumn[] }
  | { readonly kind: 'vector'; readonly length: number };

/** A column of a table within an encoded row. */
export interface DisplayColumn {
  readonly name: string;
  /** Where its number, or the first of its categories, stands in a row. */
  readonly at: number;
  /** Where the flag stands that says whether the number is there. */
  readonly flag?: number | undefined;
  /** Of categories. */
  readonly values?: readonly string[] | undefined;
  readonly mean?: number | undefined;
  readonly deviation?: number | undefined;
  readonly decimals?: number | undefined;
  readonly prefix?: string | undefined;
  readonly suffix?: string | undefined;
  readonly date?: boolean | undefined;
}

export interface ModelState {
  readonly mode: 'model';
  readonly name: string;
  /** The version of node-vae. */
  readonly version: string;
  readonly model: {
    readonly architecture: string;
    readonly likelihood: string;
    readonly prior: string;
    readonly latentDim: number;
    readonly latentShape: readonly number[];
    readonly parameterCount: number;
    /** Number of classes and their names, of conditional models. */
    readonly classes?: readonly string[] | undefined;
  };
  readonly display: Display;
  readonly data: {
    /** Rows of data, or, where there are none, draws from the prior. */
    readonly source: 'data' | 'prior';
    readonly path: string;
    readonly rows: number;
    /** Names of the labels' classes. */
    readonly classes?: readonly string[] | undefined;
    readonly named: boolean;
  };
  /** Latent dimensions that the map knows, those that vary most first. */
  readonly kept: readonly number[];
  readonly progress: Progress;
  readonly health?: Health | undefined;
  readonly curves?: readonly CurvePoint[] | undefined;
  readonly run?: RunState | undefined;
  /** Score above which a row counts as strange, and the share of rows below. */
  readonly threshold?: { readonly value: number; readonly quantile: number } | undefined;
}

export interface Progress {
  readonly stage: 'encoding' | 'scoring' | 'measuring' | 'ready' | 'failed';
  readonly done: number;
  readonly total: number;
  readonly message?: string | undefined;
  /** Counts up with everything that changes the columns. */
  readonly version: number;
  /** Milliseconds from the start until the map was there. */
  readonly mapMs?: number | undefined;
}

/** KL, use and shape of the latent space. */
export interface Health {
  readonly rows: number;
  readonly kl: number;
  readonly klPerDimension?: readonly number[] | undefined;
  readonly active: readonly boolean[];
  readonly activeUnits: number;
  readonly units: number;
  /** What the library says where dimensions have collapsed. */
  readonly advice?: string | undefined;
  /** Of each kept dimension: draws from the posteriors of rows, in bins from −5 to 5. */
  readonly aggregate: readonly {
    readonly dimension: number;
    readonly mean: number;
    readonly deviation: number;
    readonly bins: readonly number[];
  }[];
  /** Regions that the prior draws from and where no row lies. */
  readonly holes?:
    | {
        readonly draws: number;
        readonly share: number;
        readonly quantile: number;
        readonly distances: readonly number[];
        readonly bound: number;
      }
    | undefined;
}

export interface CurvePoint {
  readonly epoch: number;
  readonly train: { readonly loss: number; readonly reconstruction: number; readonly kl: number };
  readonly validation?: { readonly loss: number; readonly reconstruction: number; readonly kl: number } | undefined;
  readonly activeUnits?: number | undefined;
}

export interface RunState {
  readonly status: 'starting' | 'running' | 'stopping' | 'ended';
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly loss?: number | undefined;
  readonly examplesPerSecond?: number | undefined;
  readonly secondsLeft?: number | undefined;
  readonly warnings: readonly string[];
  /** Epoch of the map and the pictures. */
  readonly shown?: number | undefined;
  readonly checkpoint?: string | undefined;
}

export interface ArchiveState {
  readonly mode: 'archive';
  readonly name: string;
  readonly version: string;
  readonly kind: string;
  readonly bytes: number;
  readonly complete: boolean;
  readonly model?: string | undefined;
  readonly embedsModel: boolean;
  readonly items: number;
  readonly chunks: readonly ArchiveChunk[];
  readonly files: readonly ArchiveFileEntry[];
  /** More files than are listed. */
  readonly filesLeftOut: number;
}

export interface ArchiveChunk {
  readonly bytes: number;
  readonly dataBytes?: number | undefined;
  readonly items: number;
  readonly firstItem: number;
  readonly codedBy: string;
}

export interface ArchiveFileEntry {
  readonly name: string;
  /** Its item, where it is one. */
  readonly item?: number | undefined;
  readonly chunk: number;
  readonly bytes?: number | undefined;
}

export type State = ModelState | ArchiveState;
