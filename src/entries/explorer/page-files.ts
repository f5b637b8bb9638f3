/** The files of the page, read into memory: few, and small. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { ioError } from '../../core/files.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

/** By the path that a browser asks for. @throws VaeError ERR_VAE_IO where the page is not there. */
export async function readPage(folder: string): Promise<Map<string, PageFile>> {
  const files = new Map<string, PageFile>();
  try {
    for (const name of await readdir(folder, { recursive: true })) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      files.set(`/${name.replaceAll('\\', '/')}`, { type, bytes: await readFile(join(folder, name)) });
    }
  } catch (error) {
    throw ioError(error, `reading the explorer's page in ${folder}`);
  }
  const index = files.get('/index.html');
  if (index) files.set('/', index);
  return files;
}
