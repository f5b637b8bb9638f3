/**
 * Names of files in archives. Writer and reader follow the same rules: a name goes in as its file system has it and comes
 * out so; where the reading system cannot have it, under a safe name that clashes with none.
 */
import { createHash } from 'node:crypto';
import { hasRawBytes, nameToBytes, shownName } from '../core/byte-names.js';
import { VaeError } from '../core/errors.js';

/** Of a whole path, and of one part of it: no file system that is known takes more. */
const MOST_BYTES = 1 << 15;
const MOST_PART_BYTES = 255;
const MOST_DEPTH = 1024;
/** Names that Windows gives to devices, with any extension. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_ON_WINDOWS = /[\u0000-\u001f\\:*?"<>|]/;

/** What a file system makes of names. */
export interface NameRules {
  /** Windows refuses some characters and names. */
  readonly windows: boolean;
  /** Whether names that differ in case or in Unicode composition only are one. */
  readonly caseBlind: boolean;
}

/**
 * The parts of a name.
 *
 * @throws VaeError ERR_VAE_FORMAT for one that leads out of a folder, or that no system has.
 */
export function partsOf(name: string): string[] {
  const refuse = (why: string) =>
    new VaeError(
      'ERR_VAE_FORMAT',
      `The archive names an item "${shownName(name).slice(0, 80)}": ${why}. It is not unpacked.`,
    );
  if (name === '' || nameToBytes(name).length > MOST_BYTES) throw refuse(`a name has 1 to ${MOST_BYTES} bytes`);
  if (name.includes('\0')) throw refuse('no file has a zero byte in its name');
  const parts = name.split('/');
  if (parts.length > MOST_DEPTH) throw refuse('it is too many folders deep');
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') throw refuse('it leads out of the folder');
    // What stands for a byte can also stand for a character of ASCII: of those only real ones count.
    if (/[\ud800-\udc7f\udd00-\udfff]/u.test(part)) throw refuse('it is no text and no bytes');
    const bytes = hasRawBytes(part) ? nameToBytes(part) : undefined;
    if (bytes !== undefined && (bytes.includes(0) || bytes.includes(0x2f))) throw refuse('it leads out of the folder');
  }
  return parts;
}

/** Whether a system that follows these rules has a name as it is. */
export function isPlain(name: string, { windows }: NameRules): boolean {
  return name.split('/').every((part) => {
    if (nameToBytes(part).length > MOST_PART_BYTES) return false;
    return !windows || !(NOT_ON_WINDOWS.test(part) || /[. ]$/.test(part) || DEVICES.test(part) || hasRawBytes(part));
  });
}

/** Names with the same key are one file. */
function keyOf(name: string, { caseBlind }: NameRules): string {
  return caseBlind ? name.normalize('NFC').toLowerCase().normalize('NFC') : name;
}

/** A name that every system has, with a hash of the real one: two names never become one. */
export function safeName(name: string, attempt = 0): string {
  return name
    .split('/')
    .map((part, index, parts) => {
      const last = index === parts.length - 1;
      // A folder keeps its name at first; where a file stands under that, it has another one too.
      if (!last && attempt === 0 && isPlain(part, { windows: true, caseBlind: true })) return part;
      const dot = last ? part.lastIndexOf('.') : -1;
      const ending = dot > 0 && /^\.[\w-]{1,16}$/.test(part.slice(dot)) ? part.slice(dot) : '';
      const stem = part.slice(0, part.length - ending.length);
      const clean = Array.from(
        stem.replace(/[^\p{L}\p{N}\p{M} ._()+=@,;!&'#%~-]/gu, '_').replace(/[\ud800-\udfff]/gu, '_'),
      )
        .slice(0, 60)
        .join('')
        .replace(/[. ]+$/, '');
      const hash = createHash('sha256')
        .update(nameToBytes(parts.slice(0, index + 1).join('/')))
        .update(String(attempt));
      return `${clean}~${hash.digest('hex').slice(0, 10)}${ending}`;
    })
    .join('/');
}

/** An item that comes out under another name than it went in with. */
export interface Renamed {
  readonly name: string;
  readonly as: string;
  readonly reason: string;
}

/**
 * A place for each name: the name itself where it can be had, else a safe one.
 *
 * @param areFolders those of the names that are folders: files may be within them.
 */
export function placesOf(
  names: readonly string[],
  rules: NameRules,
  rename: 'safe' | 'refuse',
  areFolders: ReadonlySet<string> = new Set(),
): { readonly places: ReadonlyMap<string, string>; readonly renamed: readonly Renamed[] } {
  const places = new Map<string, string>();
  const renamed: Renamed[] = [];
  // Folders count as names too: a file cannot stand where a folder must be.
  const taken = new Set<string>();
  const folders = new Set<string>();
  const claim = (name: string, isFolder: boolean): boolean => {
    const key = keyOf(name, rules);
    if (taken.has(key) || (folders.has(key) && !isFolder)) return false;
    const above = key
      .split('/')
      .slice(0, -1)
      .map((_, index, all) => all.slice(0, index + 1).join('/'));
    if (above.some((folder) => taken.has(folder))) return false;
    (isFolder ? folders : taken).add(key);
    for (const folder of above) folders.add(folder);
    return true;
  };
  const unplaced: [string, string][] = [];
  for (const name of names) {
    if (!isPlain(name, rules)) unplaced.push([name, 'this system cannot have such a name']);
    else if (claim(name, areFolders.has(name))) places.set(name, name);
    else unplaced.push([name, 'this disk takes it for the same name as another one']);
  }
  for (const [name, reason] of unplaced) {
    if (rename === 'refuse') {
      throw new VaeError(
        'ERR_VAE_IO',
        `The archive holds "${shownName(name)}": ${reason}. Nothing was unpacked; let it have a safe name (rename: 'safe', --rename safe).`,
      );
    }
    let attempt = 0;
    while (!claim(safeName(name, attempt), areFolders.has(name))) attempt += 1;
    const as = safeName(name, attempt);
    places.set(name, as);
    renamed.push({ name, as, reason });
  }
  return { places, renamed };
}
