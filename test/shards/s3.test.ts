/** Jobs on a real S3 server: inputs, outputs and models by s3:// URLs, to the same bytes as on disk. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image/encode.js';
import { Vae, writeNpy } from '../../src/index.js';
import { openPlace } from '../../src/jobs/places/index.js';
import { type CliResult, runCli } from '../cli/run-cli.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { downloadS3, type S3Server, startS3 } from './support/s3.js';
import { outputOf } from './support/tree.js';

const cwd = temporaryFolder('s3-jobs');
const at = (...parts: string[]): string => join(cwd, ...parts);
const COUNT = 60;
let server: S3Server;
let client: S3Client;

const cli = (...args: string[]): Promise<CliResult> =>
  runCli(['jobs', 'run', ...args, '--progress', 'none'], { cwd, env: { ...server.env, XDG_CACHE_HOME: at('cache') } });

async function put(key: string, body: Uint8Array): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: 'jobs', Key: key, Body: body }));
}

beforeAll(async () => {
  await mkdir(at('server'));
  server = await startS3(at('server'));
  Object.assign(process.env, server.env);
  client = new S3Client({ forcePathStyle: true, endpoint: server.endpoint, region: 'us-east-1' });
  const { data } = digits(COUNT);
  await mkdir(at('pictures', 'b'), { recursive: true });
  for (let index = 0; index < COUNT; index += 1) {
    const pixels = { data: data.subarray(index * 784, (index + 1) * 784), width: 28, height: 28, channels: 1 as const };
    const name = `${index < 40 ? '' : 'b/'}${String(index).padStart(3, '0')}.png`;
    const bytes = await encodePng(pixels);
    await writeFile(at('pictures', name), bytes);
    await put(`in/pictures/${name}`, bytes);
  }
  await using vae = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 8, seed: 3 });
  await vae.save(at('model'));
  for (const name of await readdir(at('model'))) await put(`models/mine/${name}`, readFileSync(at('model', name)));
}, 60_000);

describe('jobs by s3:// URLs', () => {
  it('give the same bytes as on disk: folder, model and output', { timeout: 60_000 }, async () => {
    const common = ['--shard-size', '25', '--log-variance'];
    const far = ['-m', 's3://jobs/models/mine', '-i', 's3://jobs/in/pictures', '-o', 's3://jobs/out/one', ...common];
    const there = await cli('encode', ...far, '--json');
    expect(there.stderr + there.stdout).not.toContain('ERR_');
    expect(JSON.parse(there.stdout)).toMatchObject({ items: COUNT, shards: 3, failed: 0 });
    expect((await cli('encode', '-m', 'model', '-i', 'pictures', '-o', 'one', ...common)).code).toBe(0);
    await downloadS3('s3://jobs/out/one', at('fetched'));
    const [fetched, near] = [await outputOf(at('fetched')), await outputOf(at('one'))];
    // The index names inputs by where they lie.
    for (const output of [fetched, near]) delete output['index.json'];
    expect(fetched).toEqual(near);
    // No credentials anywhere in what a job leaves.
    const texts = await Promise.all(
      ['.job/job.json', '.job/plan.json', 'index.json'].map((name) => readFile(at('fetched', name), 'utf8')),
    );
    expect(texts.join('')).not.toContain('S3RVER');
    // Again: nothing to do. A changed object: refused.
    const again = await cli('encode', ...far, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ shardsBefore: 3 });
    await put('in/pictures/b/050.png', await readFile(at('pictures', '000.png')));
    const changed = await cli('encode', ...far);
    expect(changed).toMatchObject({ code: 1 });
    expect(changed.stderr).toContain('b/050.png has changed');
    await put('in/pictures/b/050.png', await readFile(at('pictures', 'b', '050.png')));
  });

  it('globs, lists, arrays and .tar there', { timeout: 60_000 }, async () => {
    const { data } = digits(COUNT);
    await writeNpy(at('all.npy'), { data, shape: [COUNT, 1, 28, 28] });
    await put('in/all.npy', await readFile(at('all.npy')));
    await put('in/list.txt', Buffer.from('pictures/001.png\ns3://jobs/in/pictures/b/050.png\n'));
    const inputs: Record<string, number> = {
      'pictures/*.png': 40,
      'pictures/**/*5.png': 6,
      'list.txt': 2,
      'all.npy': COUNT,
    };
    for (const [input, items] of Object.entries(inputs)) {
      const name = input.replace(/\W+/g, '-');
      const { code, stdout } = await cli('encode', '-m', 'model', '-i', `s3://jobs/in/${input}`, '-o', name, '--json');
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ items });
    }
    const tar = await cli(
      'reconstruct',
      '-m',
      'model',
      '-i',
      's3://jobs/in/pictures',
      '-o',
      's3://jobs/out/tar',
      '--format',
      'tar',
    );
    expect(tar.code).toBe(0);
    const back = await cli('encode', '-m', 'model', '-i', 's3://jobs/out/tar', '-o', 'from-tar', '--json');
    expect(JSON.parse(back.stdout)).toMatchObject({ items: COUNT, failed: 0 });
  });

  it('large shards go up in parts', { timeout: 60_000 }, async () => {
    await writeNpy(at('latents.npy'), { data: new Float32Array(6000 * 8).fill(0.5), shape: [6000, 8] });
    const common = ['decode', '-m', 'model', '-i', 'latents.npy'];
    expect((await cli(...common, '-o', 's3://jobs/out/large')).code).toBe(0);
    expect((await cli(...common, '-o', 'large')).code).toBe(0);
    await downloadS3('s3://jobs/out/large', at('large-fetched'));
    expect(await outputOf(at('large-fetched'))).toEqual(await outputOf(at('large')));
  });

  it('archives go there and come back', { timeout: 60_000 }, async () => {
    const packed = await cli(
      'compress',
      '-m',
      'mnist-codec',
      '-i',
      's3://jobs/in/pictures',
      '-o',
      's3://jobs/out/archives',
      '--shard-size',
      '40',
    );
    expect(packed.code).toBe(0);
    const unpacked = await cli('decompress', '-i', 's3://jobs/out/archives', '-o', 's3://jobs/out/unpacked', '--json');
    expect(JSON.parse(unpacked.stdout)).toMatchObject({ items: 2, rows: COUNT });
    const place = openPlace('s3://jobs/out/unpacked');
    expect((await place.read('files/b/050.png'))!.length).toBeGreaterThan(50);
  });

  it('says what is wrong: buckets, keys, credentials, servers', { timeout: 60_000 }, async () => {
    const run = (env: Record<string, string>, input: string): Promise<CliResult> =>
      runCli(['jobs', 'run', 'encode', '-m', 'model', '-i', input, '-o', `wrong-${Object.keys(env).join('')}`], {
        cwd,
        env: { ...server.env, AWS_MAX_ATTEMPTS: '1', ...env },
      });
    expect((await run({}, 's3://nowhere-at-all/x')).stderr).toContain('no such bucket');
    expect((await run({}, 's3://jobs/in/none')).stderr).toContain('There is no file or folder');
    expect((await run({ AWS_ACCESS_KEY_ID: 'wrong' }, 's3://jobs/in/pictures')).stderr).toMatch(
      /key is not known|access was denied/,
    );
    expect((await run({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, 's3://jobs/in/pictures')).stderr).toContain(
      'ERR_VAE_IO',
    );
    const { code, stderr } = await run({}, 's3://Not_A_Bucket/x');
    expect(code).toBe(2);
    expect(stderr).toContain('names no bucket');
  });

  it('a model that is another by now is refused by its SHA-256', { timeout: 60_000 }, async () => {
    const common = ['encode', '-m', 's3://jobs/models/mine', '-i', 'pictures', '-o', 'model-job'];
    expect((await cli(...common)).code).toBe(0);
    await using vae = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 8, seed: 4 });
    await vae.save(at('other'));
    for (const name of await readdir(at('other'))) await put(`models/mine/${name}`, readFileSync(at('other', name)));
    const changed = await cli(...common);
    expect(changed.code).toBe(1);
    expect(changed.stderr).toContain("the model's SHA-256 was");
    await rm(at('other'), { recursive: true });
  });
});
