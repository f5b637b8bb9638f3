/** Which of an archive's files are meant by names and patterns. */
import { shownName } from '../../core/byte-names.js';
import { VaeError } from '../../core/errors.js';
import { matcherOf } from '../inputs/glob.js';

/**
 * The names that are meant: a name as it is, a folder with all below it, or a pattern (* ? [ ] { }, `**` over folders).
 *
 * @throws VaeError ERR_VAE_OPTION naming what means nothing in the archive, with names that it has.
 */
export function chosenNames(wanted: readonly string[], names: readonly string[], path: string): Set<string> {
  const there = new Set(names);
  const chosen = new Set<string>();
  for (const each of wanted) {
    const folder = each.endsWith('/') ? each : `${each}/`;
    const matches = there.has(each) ? (name: string) => name === each || name.startsWith(folder) : undefined;
    const below = names.some((name) => name.startsWith(folder));
    const test = matches ?? (below ? (name: string) => name.startsWith(folder) : matcherOf(each));
    const found = names.filter(test);
    if (found.length === 0) throw notThere(each, names, path);
    for (const name of found) chosen.add(name);
  }
  return chosen;
}

export function notThere(wanted: string, names: readonly string[], path: string): VaeError {
  const known = names.slice(0, 5).map((name) => `"${shownName(name)}"`);
  return new VaeError(
    'ERR_VAE_OPTION',
    `${path} holds no "${shownName(wanted)}"; it holds ${known.join(', ')}${names.length > 5 ? ` and ${names.length - 5} more (archive ls names all)` : ''}.`,
  );
}
