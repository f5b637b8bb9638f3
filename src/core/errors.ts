/** What kind of thing went wrong. Stable: programs may branch on it. */
export type VaeErrorCode =
  | 'ERR_VAE_OPTION' // an option, argument or command-line flag
  | 'ERR_VAE_SHAPE' // a tensor's shape or data type
  | 'ERR_VAE_DATA' // the values in the data: NaN, empty, labels of another length
  | 'ERR_VAE_GRAPH' // an ONNX graph that is not valid, or not what was asked for
  | 'ERR_VAE_UNSUPPORTED_OPERATOR' // an operator without a rule
  | 'ERR_VAE_PACKAGE' // an optional package that is not installed
  | 'ERR_VAE_BINDING' // the addon or the ONNX Runtime library
  | 'ERR_VAE_RUNTIME' // ONNX Runtime refused or failed a run
  | 'ERR_VAE_FORMAT' // damaged, truncated or hostile bytes
  | 'ERR_VAE_IO' // the file system: full, read-only, missing
  | 'ERR_VAE_REPRODUCIBILITY' // a model, data set or fingerprint differs from the recorded one
  | 'ERR_VAE_BUSY' // the object is already doing something that excludes this
  | 'ERR_VAE_DISPOSED'; // used after close()

export interface VaeErrorOptions {
  readonly cause?: unknown;
  /** ONNX Runtime's own status code, for `ERR_VAE_RUNTIME`. */
  readonly ortCode?: number;
}

/**
 * The one error class of this package. The message names what was expected, what came,
 * where, and what to do about it.
 */
export class VaeError extends Error {
  override readonly name = 'VaeError';
  readonly code: VaeErrorCode;
  /** Declared only: where there is none, printing the error does not show it. */
  declare readonly ortCode?: number;

  constructor(code: VaeErrorCode, message: string, options: VaeErrorOptions = {}) {
    super(printable(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.ortCode !== undefined) this.ortCode = options.ortCode;
  }
}

export function isVaeError(value: unknown): value is VaeError {
  return value instanceof VaeError;
}

/** Messages quote files and file names; none of them gets to steer a terminal or to fill a log. */
function printable(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be removed
  const clean = message.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}…` : clean;
}

const LONGEST = 2000;
