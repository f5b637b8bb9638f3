/** The explorer's server: who may ask, and what. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { alignment, turned } from '../../src/entries/explorer/align.js';
import { decodeFrame, encodeFrame } from '../../src/entries/explorer/frames.js';
import { type Explorer, exploreArchive, exploreModel } from '../../src/entries/explorer/index.js';
import { toDataset, Vae } from '../../src/index.js';
import { digits } from '../support/digits.js';

let vae: Vae;
let explorer: Explorer;
let port: number;

beforeAll(async () => {
  vae = await Vae.load('mnist-mlp');
  const { data, shape } = digits(50);
  explorer = await exploreModel({ vae, name: 'digits', data: await toDataset({ data, shape }) });
  port = Number(new URL(explorer.address).port);
});
afterAll(async () => {
  await explorer?.close();
  await vae?.close();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

function ask(path: string, headers: Record<string, string> = {}, body?: Buffer, to = port): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ port: to, host: '127.0.0.1', path, headers, method: body ? 'POST' : 'GET' }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(parts).toString('latin1'),
        }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function socket(headers: Record<string, string>, origin?: string): Promise<WebSocket | number> {
  return new Promise((resolve) => {
    const opened = new WebSocket(`ws://127.0.0.1:${port}/api/socket`, { headers, ...(origin && { origin }) });
    opened.on('open', () => resolve(opened));
    opened.on('unexpected-response', (_, response) => resolve(response.statusCode!));
    opened.on('error', () => {});
  });
}

describe('the explorer answers its own page only', () => {
  it.each(['/', '/api/state', '/api/part/map', '/icon.svg'])(
    '%s under a foreign name (DNS rebinding)',
    async (path) => {
      expect(await ask(path, { host: `evil.example:${port}` })).toMatchObject({ status: 403 });
      expect(await ask(path, { host: '127.0.0.1.evil.example' })).toMatchObject({ status: 403 });
      expect(await ask(path)).toMatchObject({ status: expect.not.stringMatching('403') });
    },
  );

  it('from pages of other origins', async () => {
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      expect(await ask('/api/state', headers)).toMatchObject({ status: 403 });
      expect(await ask('/api/read?name=a.png', headers, Buffer.from('x'))).toMatchObject({ status: 403 });
    }
    expect(
      await ask('/api/state', { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' }),
    ).toMatchObject({ status: 200 });
    expect(await ask('/', { 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 200 });
  });

  it('over the socket likewise', async () => {
    expect(await socket({}, 'https://evil.example')).toBe(403);
    expect(await socket({})).toBe(403);
    expect(await socket({ host: 'evil.example' }, 'http://evil.example')).toBe(403);
    const opened = await socket({}, `http://127.0.0.1:${port}`);
    expect(opened).toBeInstanceOf(WebSocket);
    (opened as WebSocket).close();
  });

  it('with the token alone where it is bound wider', async () => {
    const wide = await exploreModel({ vae, name: 'digits', host: '0.0.0.0' });
    try {
      const address = new URL(wide.address);
      const at = Number(address.port);
      const token = address.searchParams.get('token')!;
      expect(token).toMatch(/^[0-9a-f]{32}$/);
      expect(await ask('/', {}, undefined, at)).toMatchObject({ status: 401 });
      expect(await ask('/api/state', { cookie: 'node-vae-explorer=0' }, undefined, at)).toMatchObject({ status: 401 });
      const page = await ask(`/?token=${token}`, {}, undefined, at);
      expect(page.status).toBe(200);
      expect(String(page.headers['set-cookie'])).toMatch(/HttpOnly; SameSite=Strict/);
      const cookie = `node-vae-explorer=${token}`;
      expect(await ask('/api/state', { cookie }, undefined, at)).toMatchObject({ status: 200 });
      expect(await ask('/api/state', { cookie, host: 'evil.example' }, undefined, at)).toMatchObject({ status: 403 });
    } finally {
      await wide.close();
    }
  });

  it('and forbids frames, scripts and content of others', async () => {
    const { headers } = await ask('/');
    expect(headers['content-security-policy']).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
    expect(headers['x-content-type-options']).toBe('nosniff');
  });
});

describe('what is asked is checked', () => {
  it('paths, uploads and questions that are none', async () => {
    for (const path of ['/../package.json', '/..%2f..%2fpackage.json', '/api/part/..', '/dist', '/api/nothing']) {
      expect([404, 204, 400]).toContain((await ask(path)).status);
    }
    const type = { 'content-type': 'application/octet-stream' };
    expect(await ask('/api/read?name=x.png', type, Buffer.from('no picture'))).toMatchObject({ status: 422 });
    expect(
      await ask('/api/read?name=x.svg', type, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')),
    ).toMatchObject({ status: 422 });
    expect(await ask('/api/read', { 'content-type': 'text/plain' }, Buffer.from('x'))).toMatchObject({ status: 415 });
    const large = await ask('/api/read', { ...type, 'content-length': String(2 ** 31) }, Buffer.alloc(1)).catch(() => ({
      status: 413,
    }));
    expect(large.status).toBe(413);
  });

  it('questions over the socket: errors are answers, garbage ends the connection', async () => {
    const opened = (await socket({}, `http://127.0.0.1:${port}`)) as WebSocket;
    opened.binaryType = 'nodebuffer';
    const next = (id: number): Promise<Record<string, unknown>> =>
      new Promise((resolve) => {
        const take = (data: Buffer): void => {
          const { header } = decodeFrame(data);
          if (header['id'] !== id) return;
          opened.off('message', take);
          resolve(header);
        };
        opened.on('message', take);
      });
    const questions: [string, object, Record<string, Float32Array>][] = [
      ['item', { row: 50 }, {}],
      ['item', { row: -1 }, {}],
      ['rows', { rows: [] }, {}],
      ['decode', {}, { latents: new Float32Array(7) }],
      ['decode', {}, { latents: new Float32Array(20 * 257) }],
      ['decode', {}, { latents: new Float32Array(20).fill(Number.NaN) }],
      ['draw', { count: 1e9, seed: 0, temperature: 1 }, {}],
      ['constructor', {}, {}],
      ['stop', {}, {}],
    ];
    for (const [index, [op, header, arrays]] of questions.entries()) {
      const answer = next(index);
      opened.send(encodeFrame({ header: { ...header, id: index, op }, arrays }));
      expect(await answer).toHaveProperty('error');
    }
    const answer = next(99);
    opened.send(encodeFrame({ header: { id: 99, op: 'item', row: 3 }, arrays: {} }));
    expect(await answer).not.toHaveProperty('error');
    const closed = new Promise((resolve) => opened.once('close', resolve));
    opened.send(Buffer.from([255, 255, 255, 255, 0]));
    expect(await closed).toBe(1003);
  });

  it('ends at once, with pages still open', async () => {
    const other = await exploreModel({ vae, name: 'digits' });
    const at = Number(new URL(other.address).port);
    const half = connect(at, '127.0.0.1');
    half.on('error', () => {});
    half.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n');
    const page = new WebSocket(`ws://127.0.0.1:${at}/api/socket`, { origin: `http://127.0.0.1:${at}` });
    await new Promise((resolve) => page.on('open', resolve));
    const began = performance.now();
    await other.close();
    expect(performance.now() - began).toBeLessThan(10_000);
    half.destroy();
  });

  it('data that the model does not take are refused before the page is open', async () => {
    const data = await toDataset({ data: new Float32Array(30), shape: [3, 10] });
    await expect(exploreModel({ vae, name: 'digits', data })).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
  });

  it('is refused what is no archive', async () => {
    await expect(
      exploreArchive({ path: new URL('../../package.json', import.meta.url).pathname }),
    ).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
  });
});

describe('messages', () => {
  it('come back as they were, from any place in memory', () => {
    const arrays = {
      a: Float32Array.of(1, 2.5),
      b: Uint8Array.of(1, 2, 3),
      c: Int32Array.of(-7),
      none: new Float32Array(0),
    };
    const frame = { header: { id: 1, text: 'ü' }, arrays };
    const bytes = encodeFrame(frame);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeFrame(shifted.subarray(3))).toEqual(frame);
    expect(decodeFrame(Buffer.from(bytes))).toEqual(frame);
    for (const end of [0, 3, 10, bytes.length - 1]) expect(() => decodeFrame(bytes.subarray(0, end))).toThrow();
  });

  it('maps of two moments are turned onto each other', () => {
    const points = Float32Array.from({ length: 40 }, (_, at) => Math.sin(at * 1.7) * (at % 2 ? 1 : 3));
    for (const [a, b, c, d] of [
      [0, -1, 1, 0],
      [1, 0, 0, -1],
      [0.6, 0.8, 0.8, -0.6],
    ] as const) {
      const other = turned(points, [a, b, c, d], 'points');
      const back = turned(other, alignment(other, points), 'points');
      for (const [at, value] of back.entries()) expect(value).toBeCloseTo(points[at]!, 4);
    }
  });
});
