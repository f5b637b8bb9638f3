/**
 * A real S3 server in a process of its own on a free port of this machine: it knows its access keys, takes multipart uploads,
 * lists in pages. It cannot tell wrong signatures: it signs /bucket where the SDK signs /bucket/.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll } from 'vitest';
import { storageOf } from '../../../src/jobs/places/index.js';

export interface S3Server {
  readonly endpoint: string;
  /** What commands and the SDK take it from. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const PROGRAM = `
const S3rver = require(process.argv[1]);
const server = new S3rver({
  address: '127.0.0.1', port: 0, silent: true, allowMismatchedSignatures: true, directory: process.argv[2],
  configureBuckets: [{ name: 'jobs' }],
});
server.run().then(({ port }) => console.log(port));
process.on('disconnect', () => process.exit(0));
`;

export async function startS3(directory: string): Promise<S3Server> {
  const server = createRequire(import.meta.url).resolve('@20minutes/s3rver');
  const child = spawn(process.execPath, ['-e', PROGRAM, server, directory], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [port] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  afterAll(stop);
  return {
    endpoint,
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      // Nothing of this machine's own settings.
      AWS_CONFIG_FILE: '/nonexistent',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    stop,
  };
}

/** All objects below a prefix as files. */
export async function downloadS3(url: string, folder: string): Promise<void> {
  const storage = storageOf(url);
  for await (const { path, name } of storage.walk(url, { hidden: true, scratch: folder })) {
    const target = join(folder, name);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, (await storage.readWhole(path)).bytes);
  }
}
