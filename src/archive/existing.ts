/** What is said of a file that stands where an archive was to be. */
import { VaeError } from '../core/errors.js';

export function existing(path: string): VaeError {
  return new VaeError(
    'ERR_VAE_IO',
    `${path} is there already and is not replaced. Choose another name, or say that it may be (force, --force).`,
  );
}

export function existingOther(path: string): VaeError {
  return new VaeError(
    'ERR_VAE_IO',
    `${path} is there already, and is not what this job would write: its files, model or options are others. It was left as it is. Choose another name, add to it (append, --append), or say that it may be replaced (force, --force).`,
  );
}

export function existingUntold(path: string): VaeError {
  return new VaeError(
    'ERR_VAE_IO',
    `${path} is there already and is not replaced. Whether it was made of these very files cannot be told from an archive with loss; whether it is whole, node-vae archive test says. Choose another name, or say that it may be replaced (force, --force).`,
  );
}
