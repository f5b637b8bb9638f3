/** Packages that few need: found when they are installed, named with their install command when they are not. */
import { VaeError } from '../core/errors.js';

/**
 * @param load imports the package, by a name that is no literal: bundlers leave it to be found when it is asked for.
 * @param what what needs it, such as `photo.heic is a HEIC picture`.
 * @param otherwise what to do without it.
 * @throws VaeError ERR_VAE_DATA where it is not installed.
 */
export async function optionalPackage<T>(
  name: string,
  load: () => Promise<T>,
  what: string,
  otherwise: string,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause;
    throw new VaeError(
      'ERR_VAE_DATA',
      `${what}, and needs the package ${name}: npm install ${name}. Or ${otherwise}.`,
      {
        cause,
      },
    );
  }
}
