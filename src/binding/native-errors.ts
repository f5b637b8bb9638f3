/** Native code raises its errors through this function, so that they are VaeErrors from the start. */
import { VaeError, type VaeErrorCode } from '../core/errors.js';

/** Raised by an aborted run; linkAbort() replaces it by the signal's reason. */
const ABORTED = 'ERR_VAE_ABORTED';

export function makeNativeError(code: string, message: string, ortCode?: number): Error {
  if (code === ABORTED) return new DOMException(message, 'AbortError');
  return new VaeError(code as VaeErrorCode, message, ortCode === undefined ? {} : { ortCode });
}
