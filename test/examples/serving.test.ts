/** The serving examples as they are run: the service against real HTTP, the folder jobs on real files. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, Vae, writeNpy } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const held = digits(200, 't10k');
const folder = temporaryFolder('examples');
let model: string;
let vae: Vae;

const png = (at: number) =>
  sharp(held.data.slice(at * 784, (at + 1) * 784), { raw: { width: 28, height: 28, channels: 1 } })
    .png()
    .toBuffer();
const row = (at: number) => ({ data: held.data.slice(at * 784, (at + 1) * 784), shape: [1, 1, 28, 28] });
const run = (...args: string[]) => promisify(execFile)(process.execPath, args, { cwd: root });

beforeAll(async () => {
  if (!existsSync(join(root, 'dist/main/index.js')))
    throw new Error('The examples run the built package: run `npm run setup` first.');
  model = join(folder, 'model');
  vae = await Vae.create({
    input: { kind: 'image', height: 28, width: 28 },
    latentDim: 8,
    architecture: { type: 'mlp', hidden: [64] },
  });
  await vae.fit(digits(1500), { epochs: 4, batchSize: 50 });
  await vae.save(model);
  await writeNpy(join(folder, 'normal.npy'), { data: held.data, shape: [200, 1, 28, 28] });
  await mkdir(join(folder, 'pictures'));
  for (let at = 0; at < 40; at += 1)
    await writeFile(join(folder, 'pictures', `digit-${String(at).padStart(3, '0')}.png`), await png(at));
  await writeFile(join(folder, 'pictures', 'notes.txt'), 'not a picture');
}, 120_000);
afterAll(async () => {
  await vae?.close();
});

interface Answer {
  readonly latent: { readonly mean: number[]; readonly logVariance: number[] };
  readonly reconstruction: string;
  readonly anomaly: { readonly score: number; readonly threshold: number; readonly anomalous: boolean };
}
const answerOf = async (response: Response | Promise<Response>) => (await (await response).json()) as Answer;

interface Service {
  readonly url: string;
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
}

async function start(...more: string[]): Promise<Service> {
  return startWith({}, ...more);
}

async function startWith(env: NodeJS.ProcessEnv, ...more: string[]): Promise<Service> {
  const args = [
    'examples/http-service.mjs',
    '--model',
    model,
    '--normal',
    join(folder, 'normal.npy'),
    '--port',
    '0',
    ...more,
  ];
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let errors = '';
  child.stderr!.on('data', (text) => {
    errors += text;
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (text: Buffer) => {
      const found = /listening on (\S+)/.exec(String(text));
      if (found) resolve(found[1]!);
    });
    exit.then((code) => reject(new Error(`the service ended with ${code}: ${errors}`)));
  });
  return { url, child, exit };
}

const post = (url: string, body: Uint8Array, type = 'image/png') =>
  fetch(`${url}/pictures`, { method: 'POST', body: Buffer.from(body), headers: { 'content-type': type } });

describe('the HTTP service', () => {
  let service: Service;
  beforeAll(async () => {
    service = await start();
  }, 60_000);
  afterAll(() => {
    service?.child.kill('SIGKILL');
  });

  it('answers a picture with its latent, its reconstruction and its anomaly score', async () => {
    const response = await post(service.url, await png(3));
    expect(response.status).toBe(200);
    const { latent, reconstruction, anomaly } = await answerOf(response);
    const { mean } = await vae.encode(row(3));
    for (const [index, value] of (mean.data as Float32Array).entries())
      expect(latent.mean[index]).toBeCloseTo(value, 3);
    const decoded = await sharp(Buffer.from(reconstruction.split(',')[1]!, 'base64')).metadata();
    expect(decoded).toMatchObject({ format: 'png', width: 28, height: 28 });
    expect(anomaly.anomalous).toBe(anomaly.score > anomaly.threshold);
    expect(Number.isFinite(anomaly.score)).toBe(true);
  });

  it('finds noise strange and nearly all digits not', async () => {
    const noise = await sharp(
      Uint8Array.from({ length: 784 }, (_, index) => (index * 7919) % 256),
      { raw: { width: 28, height: 28, channels: 1 } },
    )
      .png()
      .toBuffer();
    expect((await answerOf(post(service.url, noise))).anomaly.anomalous).toBe(true);
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, at) => answerOf(post(service.url, await png(at)))),
    );
    expect(answers.filter(({ anomaly }) => anomaly.anomalous).length).toBeLessThan(8);
  });

  it('gives each of many concurrent clients its own answer', async () => {
    const all = (await vae.encode(held)).mean.data as Float32Array;
    await Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const { latent } = await answerOf(post(service.url, await png(at)));
        for (const [index, value] of latent.mean.entries()) expect(value).toBeCloseTo(all[at * 8 + index]!, 3);
      }),
    );
  });

  it('refuses what is no picture, and stays healthy', async () => {
    expect((await post(service.url, Buffer.from('no picture'))).status).toBe(415);
    expect((await post(service.url, await png(1), 'text/plain')).status).toBe(415);
    expect((await fetch(`${service.url}/pictures`)).status).toBe(404);
    const health = await fetch(`${service.url}/health`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok', waiting: 0 }]);
  });

  it('takes nothing but the bytes of a picture: no path, no instruction, no drawing', async () => {
    const there = join(folder, 'pictures', 'digit-003.png');
    const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"><rect width="9" height="9"/></svg>';
    const instruction = { create: { width: 28, height: 28, channels: 3, background: 'red' } };
    const bodies: [string, string][] = [
      ['text/plain', there],
      ['text/plain; charset=utf-8', there],
      ['application/json', JSON.stringify(there)],
      ['application/json', JSON.stringify([there])],
      ['application/json', JSON.stringify(instruction)],
      ['application/json', JSON.stringify({ type: 'Buffer', data: [...(await png(3))] })],
      ['application/x-www-form-urlencoded', `path=${there}`],
      ['application/octet-stream', there],
      ['image/svg+xml', drawing],
      ['image/png', drawing],
      ['image/jpeg', `<?xml version="1.0"?>${drawing}`],
      ['image/png', there],
      ['image/png', JSON.stringify(instruction)],
      ['image/png', ''],
      ['image/x-anything', there],
    ];
    for (const [type, body] of bodies) {
      const response = await post(service.url, Buffer.from(body), type);
      expect([type, body.slice(0, 20), response.status]).toEqual([type, body.slice(0, 20), 415]);
      expect(await response.text()).not.toContain('latent');
    }
  });

  it('answers what is under way before it ends', async () => {
    const picture = await png(5);
    const requests = Promise.allSettled(Array.from({ length: 20 }, () => post(service.url, picture)));
    await new Promise((resolve) => setTimeout(resolve, 30));
    service.child.kill('SIGTERM');
    // Those it had accepted are answered whole; those it had not are refused, never cut off.
    for (const outcome of await requests) {
      if (outcome.status === 'fulfilled') {
        expect([200, 503]).toContain(outcome.value.status);
        await outcome.value.json();
      }
    }
    expect(await service.exit).toBe(0);
  });
});

it('ends although connections are silent and bodies never come', async () => {
  const service = await startWith({ NODE_VAE_SHUTDOWN_MS: '500' });
  const { hostname, port } = new URL(service.url);
  const begin = (text: string) =>
    new Promise<Socket>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write(text, () => resolve(socket)));
      socket.on('error', () => undefined);
    });
  const sockets = await Promise.all([
    begin(''),
    begin('POST /pic'),
    begin('POST /pictures HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\nabc'),
  ]);
  // Until the service knows of them.
  expect((await post(service.url, await png(1))).status).toBe(200);
  const from = performance.now();
  service.child.kill('SIGTERM');
  expect(await service.exit).toBe(0);
  expect(performance.now() - from).toBeLessThan(5000);
  for (const socket of sockets) socket.destroy();
}, 60_000);

it('lets go of clients that are silent or slow', async () => {
  const service = await startWith({ NODE_VAE_REQUEST_TIMEOUT_MS: '700' });
  try {
    const { hostname, port } = new URL(service.url);
    const head = 'POST /pictures HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n';
    for (const text of ['', 'POST /pic', head]) {
      const ended = new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname, () => socket.write(text));
        // A byte now and then does not make it a living one.
        const drip = setInterval(() => text === head && socket.write('x'), 200);
        socket.on('error', () => undefined);
        socket.resume().once('close', () => {
          clearInterval(drip);
          resolve();
        });
      });
      await ended;
    }
    expect((await post(service.url, await png(1))).status).toBe(200);
  } finally {
    service.child.kill('SIGTERM');
    await service.exit;
  }
}, 60_000);

it('turns clients away when too many wait', async () => {
  const service = await start('--max-queue', '1');
  try {
    const picture = await png(2);
    const responses = await Promise.all(Array.from({ length: 80 }, () => post(service.url, picture)));
    const busy = responses.filter(({ status }) => status === 503);
    expect(busy.length).toBeGreaterThan(0);
    expect(busy[0]!.headers.get('retry-after')).toBe('1');
    expect(responses.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    await Promise.all(responses.map((response) => response.arrayBuffer()));
    expect((await post(service.url, picture)).status).toBe(200);
  } finally {
    service.child.kill('SIGTERM');
    expect(await service.exit).toBe(0);
  }
}, 60_000);

it('encodes a folder, and finds pictures in it', async () => {
  const latents = join(folder, 'latents.npy');
  const pictures = join(folder, 'pictures');
  const { stdout } = await run('examples/encode-folder.mjs', '--model', model, '--folder', pictures, '--out', latents);
  expect(stdout).toContain('40 pictures encoded');
  const { data, dims } = await readNpy(latents);
  expect(dims).toEqual([40, 8]);
  const expected = (await vae.encode(row(17))).mean.data as Float32Array;
  for (const [index, value] of expected.entries()) expect((data as Float32Array)[17 * 8 + index]).toBeCloseTo(value, 3);
  const search = ['examples/search-by-latent.mjs', '--model', model, '--latents', latents, '--count', '3'];
  const found = await run(...search, '--picture', join(pictures, 'digit-017.png'));
  const lines = found.stdout.trim().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toBe('0.000  digit-017.png');
  await expect(run('examples/encode-folder.mjs', '--model', model)).rejects.toMatchObject({
    stderr: expect.stringContaining('--folder'),
  });
}, 60_000);
