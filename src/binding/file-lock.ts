import { loadAddon } from './index.js';

/** Takes the advisory lock of an open file; see Addon.lockFile(). */
export function lockFile(descriptor: number): 'held' | 'taken' | 'unsupported' {
  return loadAddon().lockFile(descriptor);
}
