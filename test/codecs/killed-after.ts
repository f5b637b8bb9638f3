/** A function of the codecs in a process that ends itself by SIGKILL as soon as so many chunks are written. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * @param folder where its script lies for the time being
 * @param measure of its progress: 'chunks', 'pictures'
 * @param args what JSON can hold; the last are its options
 * @returns by what it ended
 */
export async function killedAfter(
  folder: string,
  { count, measure }: { readonly count: number; readonly measure: string },
  name: string,
  args: readonly unknown[],
): Promise<unknown> {
  const script = join(folder, 'call.mjs');
  const codecs = new URL('../../src/codecs/index.ts', import.meta.url).href;
  await writeFile(
    script,
    `import { ${name} } from ${JSON.stringify(codecs)};
     const args = ${JSON.stringify(args)};
     args.at(-1).onProgress = ({ ${measure} }) => ${measure} >= ${count} && process.kill(process.pid, 'SIGKILL');
     await ${name}(...args);`,
  );
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawn(process.execPath, ['--import', tsx, script], { stdio: 'ignore' });
  const [code, signal] = await once(child, 'exit');
  await rm(script);
  return signal ?? code;
}
