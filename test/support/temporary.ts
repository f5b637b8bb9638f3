/** Folders of tests under the system's temporary folder, which are removed when they are done with. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

const make = (name: string): string => mkdtempSync(join(tmpdir(), `node-vae-${name}-`));
const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });

/**
 * A new folder of a file of tests, or of a describe(): called there, not in a hook or a test. It is removed when all of their
 * tests are over, after what hooks below the call close.
 */
export function temporaryFolder(name: string): string {
  const folder = make(name);
  afterAll(() => remove(folder));
  return folder;
}

/** A new folder of one test: called in it or in beforeEach(), and removed after afterEach(). */
export function temporaryFolderOfTest(name: string): string {
  const folder = make(name);
  onTestFinished(() => remove(folder));
  return folder;
}
