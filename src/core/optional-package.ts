/** Packages that few users need: used where they are installed, and asked for by name where they are not. */
import { VaeError } from './errors.js';

/**
 * @param purpose begins the message: `Drawing charts`.
 * @throws VaeError ERR_VAE_PACKAGE with the command that installs it; what loading it throws where it is there.
 */
export async function importOptional<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
    // A package that is there may lack one of its own.
    if (!missing || !message.includes(`'${name}'`)) throw cause;
    throw new VaeError(
      'ERR_VAE_PACKAGE',
      `${purpose} needs the package ${name}, which is not installed. Install it: npm install ${name}`,
      { cause },
    );
  }
}
