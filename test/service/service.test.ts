/** The service against real HTTP, by friends and by strangers. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createService, type Service, serviceOptionsFrom } from '../../src/entries/service/index.js';
import { compress, Vae } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const held = digits(40, 't10k');
const folder = temporaryFolder('service');
let vae: Vae;
let service: Service;
let url: string;

const png = (at: number) =>
  sharp(held.data.slice(at * 784, (at + 1) * 784), { raw: { width: 28, height: 28, channels: 1 } })
    .png()
    .toBuffer();
const row = (at: number) => ({ data: held.data.slice(at * 784, (at + 1) * 784), shape: [1, 1, 28, 28] });
const post = (path: string, body: Uint8Array | string, type: string, headers: Record<string, string> = {}, to = url) =>
  fetch(to + path, { method: 'POST', body: Buffer.from(body), headers: { 'content-type': type, ...headers } });
const postJson = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  post(path, JSON.stringify(body), 'application/json', headers);
const OPTIONS = { logLevel: 'silent', maxBodyBytes: 1 << 20, shutdownMs: 500, maxRows: 8 } as const;

beforeAll(async () => {
  await mkdir(join(folder, 'archives'));
  await writeFile(join(folder, 'secret.vaez'), 'secret');
  await compress(
    { data: held.data.slice(0, 20 * 784), shape: [20, 1, 28, 28] },
    { model: 'mnist-codec', output: join(folder, 'archives', 'digits.vaez') },
  );
  vae = await Vae.load('mnist-mlp');
  service = await createService(vae, { ...OPTIONS, archives: join(folder, 'archives') });
  url = await service.listen({ port: 0 });
}, 120_000);
afterAll(async () => {
  await service?.close();
  await vae?.close();
});

describe('answers', () => {
  it('encode and score give what the model gives, for pictures and numbers alike', async () => {
    const expected = await vae.encode(row(3));
    const ofPicture = (await (await post('/encode', await png(3), 'image/png')).json()) as { mean: number[][] };
    const ofNumbers = (await (await postJson('/encode', [Array.from(row(3).data, (byte) => byte / 255)])).json()) as {
      mean: number[][];
    };
    expect(ofPicture.mean).toEqual([Array.from(expected.mean.data as Float32Array)]);
    for (const [at, value] of ofNumbers.mean[0]!.entries()) expect(value).toBeCloseTo(ofPicture.mean[0]![at]!, 4);
    const scores = (await (await post('/score', await png(3), 'image/png')).json()) as { elbo: number[] };
    expect(scores.elbo[0]).toBeCloseTo((await vae.score(row(3))).elbo[0]!, 2);
  });

  it('a picture that is no plain PNG of the right size is brought to it', async () => {
    for (const [type, body] of [
      [
        'image/jpeg',
        await sharp(await png(3))
          .resize(56, 56, { kernel: 'nearest' })
          .jpeg({ quality: 100 })
          .toBuffer(),
      ],
      [
        'image/webp',
        await sharp(await png(3))
          .webp({ lossless: true })
          .toBuffer(),
      ],
      [
        'image/png',
        await sharp(await png(3))
          .ensureAlpha()
          .png()
          .toBuffer(),
      ],
    ] as const) {
      const response = await post('/encode', body, type);
      expect([type, response.status]).toEqual([type, 200]);
    }
  });

  it('reconstruct gives the picture, or its numbers', async () => {
    const response = await post('/reconstruct', await png(5), 'image/png');
    expect(response.headers.get('content-type')).toBe('image/png');
    const found = await sharp(Buffer.from(await response.arrayBuffer()))
      .toColourspace('b-w')
      .raw()
      .toBuffer();
    const expected = (await vae.reconstruct(row(5))).data as Float32Array;
    for (const [at, value] of found.entries()) expect(Math.abs(value - 255 * expected[at]!)).toBeLessThanOrEqual(0.51);
    const numbers = await post('/reconstruct', await png(5), 'image/png', { accept: 'application/json' });
    expect(((await numbers.json()) as { data: number[][] }).data[0]).toHaveLength(784);
  });

  it('decode and sample give numbers or one picture', async () => {
    const latent = Array<number>(20).fill(0.25);
    const { data } = (await (await postJson('/decode', [latent, latent])).json()) as { data: number[][] };
    expect(data).toHaveLength(2);
    expect((await postJson('/decode', [latent], { accept: 'image/png' })).headers.get('content-type')).toBe(
      'image/png',
    );
    expect((await postJson('/decode', [latent, latent], { accept: 'image/png' })).status).toBe(422);
    const samples = async () => (await (await fetch(`${url}/sample?count=2&seed=9`)).json()) as { data: number[][] };
    expect(await samples()).toEqual(await samples());
    expect((await fetch(`${url}/sample`, { headers: { accept: 'image/png' } })).headers.get('content-type')).toBe(
      'image/png',
    );
  });

  it('archives give ranges of items', async () => {
    expect(await (await fetch(`${url}/archives`)).json()).toEqual({ archives: ['digits'] });
    expect(await (await fetch(`${url}/archives/digits`)).json()).toMatchObject({ items: 20, itemShape: [1, 28, 28] });
    const response = await fetch(`${url}/archives/digits/items?from=3&to=5`);
    expect(response.headers.get('x-shape')).toBe('2,1,28,28');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(held.data.slice(3 * 784, 5 * 784)));
  });

  it('many clients get their own answers, in batches', async () => {
    const all = (await vae.encode(held)).mean.data as Float32Array;
    await Promise.all(
      Array.from({ length: 40 }, async (_, at) => {
        const { mean } = (await (await post('/encode', await png(at), 'image/png')).json()) as { mean: number[][] };
        for (const [index, value] of mean[0]!.entries()) expect(value).toBeCloseTo(all[at * 20 + index]!, 4);
      }),
    );
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const name of [
      'node_vae_request_seconds',
      'node_vae_stage_seconds',
      'node_vae_batch_rows',
      'node_vae_waiting_rows',
      'process_resident_memory_bytes',
    ])
      expect(text).toContain(name);
  });

  it('describes itself', async () => {
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining(['/encode', '/archives/{name}/items']));
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: 'ok' });
    expect((await fetch(`${url}/ready`)).status).toBe(200);
  });
});

describe('strangers', () => {
  it('get nothing by a path, an instruction or a drawing', async () => {
    const there = join(folder, 'digit.png');
    await writeFile(there, await png(3));
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"><image href="file://${there}"/></svg>`;
    const instruction = { create: { width: 28, height: 28, channels: 3, background: 'red' } };
    const bodies: [type: string, body: string, status: number][] = [
      ['text/plain', there, 415],
      ['application/x-www-form-urlencoded', `path=${there}`, 415],
      ['application/octet-stream', there, 415],
      ['image/svg+xml', drawing, 415],
      ['image/png', drawing, 415],
      ['image/tiff', there, 415],
      ['image/png', '', 415],
      ['application/json', JSON.stringify(there), 422],
      ['application/json', JSON.stringify([there]), 422],
      ['application/json', JSON.stringify([[there]]), 422],
      ['application/json', JSON.stringify({ rows: there }), 422],
      ['application/json', JSON.stringify({ rows: { data: there, shape: [1] } }), 422],
      ['application/json', JSON.stringify(instruction), 422],
      ['application/json', JSON.stringify([instruction]), 422],
      ['application/json', JSON.stringify({ type: 'Buffer', data: [...(await png(3))] }), 422],
      ['application/json', '{"rows":[[1]],"labels":"x"}', 422],
      ['application/json', 'null', 422],
      ['application/json', '[', 400],
    ];
    for (const path of ['/encode', '/reconstruct', '/score', '/decode']) {
      for (const [type, body, status] of bodies) {
        const response = await post(path, body, type);
        // Latents are no pictures at all: what is none is refused for being one.
        const wanted = path === '/decode' && response.status === 422 && status === 415 ? 422 : status;
        expect([path, type, body.slice(0, 30), response.status]).toEqual([path, type, body.slice(0, 30), wanted]);
        expect(await response.text()).not.toContain('data:');
      }
    }
  });

  it('do not leave the folder of archives', async () => {
    for (const name of [
      '..%2Fsecret',
      '../secret',
      '..',
      '%2e%2e%2fsecret',
      `${encodeURIComponent(join(folder, 'secret'))}`,
      'digits.vaez',
      '',
      '%00',
    ])
      expect([name, (await fetch(`${url}/archives/${name}/items`)).status]).toEqual([name, 404]);
    for (const range of ['from=-1', 'from=5&to=5', 'to=21', 'from=x', 'from=1e99', 'from=0.5'])
      expect([range, (await fetch(`${url}/archives/digits/items?${range}`)).status]).toEqual([range, 422]);
  });

  it('cannot fill the memory', async () => {
    expect((await post('/encode', Buffer.alloc((1 << 20) + 1), 'image/png')).status).toBe(413);
    expect((await fetch(`${url}/sample?count=9`)).status).toBe(422);
    expect(
      (
        await postJson(
          '/decode',
          Array.from({ length: 9 }, () => Array(20).fill(0)),
        )
      ).status,
    ).toBe(422);
    const large = await sharp({
      create: { width: 12_000, height: 12_000, channels: 3, background: 'red' },
      limitInputPixels: false,
    })
      .png({ progressive: true })
      .toBuffer();
    const limited = await createService(vae, { ...OPTIONS, maxBodyBytes: 1 << 24, maxDecodeBytes: 64 * 2 ** 20 });
    const address = await limited.listen({ port: 0 });
    const before = process.memoryUsage.rss();
    const refused = await Promise.all(
      Array.from({ length: 8 }, () => post('/encode', large, 'image/png', {}, address)),
    );
    expect(refused.map(({ status }) => status)).toEqual(Array(8).fill(422));
    expect(process.memoryUsage.rss() - before).toBeLessThan(200e6);
    await limited.close();
  }, 60_000);

  it('that are silent or slow are let go', async () => {
    const strict = await createService(vae, { ...OPTIONS, requestTimeoutMs: 500, headersTimeoutMs: 400 });
    const { port } = new URL(await strict.listen({ port: 0 }));
    const head = 'POST /encode HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n';
    await Promise.all(['', 'POST /enc', head].map((text) => droppedBy(Number(port), text)));
    await strict.close();
  }, 30_000);

  it('do not keep it from ending', async () => {
    const ending = await createService(vae, { ...OPTIONS, drainMs: 300 });
    const address = await ending.listen({ port: 0 });
    const { port } = new URL(address);
    const sockets = await Promise.all(
      ['', 'GET /he', 'POST /encode HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 99\r\n\r\nx'].map(
        (text) => begin(Number(port), text),
      ),
    );
    const from = performance.now();
    const closed = ending.close();
    // Not ready first, while it still answers.
    expect((await fetch(`${address}/ready`)).status).toBe(503);
    expect((await post('/encode', await png(1), 'image/png', {}, address)).status).toBe(200);
    await closed;
    expect(performance.now() - from).toBeLessThan(5000);
    for (const socket of sockets) socket.destroy();
    await expect(fetch(`${address}/health`)).rejects.toThrow();
  }, 30_000);
});

it('turns away what waits too long', async () => {
  const busy = await createService(vae, { ...OPTIONS, maxQueue: 1 });
  const address = await busy.listen({ port: 0 });
  const picture = await png(2);
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => post('/encode', picture, 'image/png', {}, address)),
  );
  const refused = answers.filter(({ status }) => status === 503);
  expect(refused.every(({ headers }) => headers.get('retry-after') === '1')).toBe(true);
  expect(answers.every(({ status }) => status === 200 || status === 503)).toBe(true);
  await Promise.all(answers.map((answer) => answer.arrayBuffer()));
  await busy.close();
});

it('takes limits from the environment, and refuses what means nothing', () => {
  expect(serviceOptionsFrom({ NODE_VAE_MAX_ROWS: '5', NODE_VAE_LOG_LEVEL: 'warn', NODE_VAE_ARCHIVES: '/a' })).toEqual({
    maxRows: 5,
    logLevel: 'warn',
    archives: '/a',
  });
  for (const [name, value] of [
    ['NODE_VAE_MAX_ROWS', 'many'],
    ['NODE_VAE_SHUTDOWN_MS', '-1'],
    ['NODE_VAE_LOG_LEVEL', 'loud'],
  ] as const)
    expect(() => serviceOptionsFrom({ [name]: value })).toThrow(`${name} is "${value}"`);
});

it('node-vae serve runs it until SIGTERM, and ends with 0', async () => {
  const child = spawn(process.execPath, ['dist/cli/main.js', 'serve', 'mnist-mlp', '--port', '0'], {
    cwd: root,
    env: { ...process.env, NODE_VAE_LOG_LEVEL: 'silent', NODE_VAE_SHUTDOWN_MS: '300' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (text) => {
      said += text;
      const found = /listening on (\S+)/.exec(said);
      if (found) resolve(found[1]!);
    });
    exit.then((code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
  expect((await post('/reconstruct', await png(4), 'image/png', {}, address)).status).toBe(200);
  const silent = await begin(Number(new URL(address).port), '');
  child.kill('SIGTERM');
  expect(await exit).toBe(0);
  silent.destroy();
}, 60_000);

function begin(port: number, text: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, () => resolve(socket)));
    socket.on('error', () => undefined);
  });
}

async function droppedBy(port: number, text: string): Promise<void> {
  const socket = await begin(port, text);
  // A byte now and then does not make it a living one.
  const drip = setInterval(() => text.length > 20 && socket.write('x'), 100);
  await new Promise<void>((resolve) => socket.resume().once('close', () => resolve()));
  clearInterval(drip);
}
