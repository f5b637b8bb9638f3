/** What lies beside the code in the package. src/core and the folders of dist are equally deep. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of the models that come with the package. */
export const SHIPPED_MODELS = fileURLToPath(new URL('../../models', import.meta.url));

/** The version of this package. */
export function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
