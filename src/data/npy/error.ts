import { VaeError } from '../../core/errors.js';

export function formatError(where: string, why: string): VaeError {
  return new VaeError('ERR_VAE_FORMAT', `${where}: not a valid .npy file: ${why}.`);
}
