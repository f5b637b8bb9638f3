// Whether node_modules is what the lock file says. npm keeps a lock file of its own there of what it installed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** @param {string} root the folder of package.json */
export function isInstalled(root) {
  let wanted;
  let present;
  try {
    wanted = packagesIn(join(root, 'package-lock.json'));
    present = packagesIn(join(root, 'node_modules', '.package-lock.json'));
  } catch {
    return false;
  }
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/')) return isDescribed(join(root, path, 'package.json'), entry);
    const found = present[path];
    // What other systems need is optional, and absent here.
    if (found === undefined) return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return found.version === entry.version && found.link === entry.link;
  });
}

/** Whether the lock file knows what a package.json of ours asks for. */
function isDescribed(path, entry) {
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const asks = (from, kind) => JSON.stringify(Object.entries(from[kind] ?? {}).sort());
  return KINDS.every((kind) => asks(manifest, kind) === asks(entry, kind));
}

function packagesIn(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}
