/** What the service answers: one table, from which the OpenAPI document is made too. */
import type { Tensor } from 'onnxruntime-common';
import { VaeError } from '../../core/errors.js';
import { type RowsInput, readRows } from '../../inference/rows/rows.js';
import type { Batcher } from '../../inference/serving/batcher.js';
import type { Vae } from '../../vae/index.js';
import type { Archives } from './archives.js';
import type { Observer } from './observe.js';
import { PICTURE_TYPES, type PictureRows } from './pictures.js';
import type { Settings } from './settings.js';

/** What routes work with. */
export interface Context {
  readonly vae: Vae;
  readonly batcher: Batcher;
  readonly pictures: PictureRows | undefined;
  readonly archives: Archives | undefined;
  readonly observer: Observer;
  readonly settings: Settings;
}

export interface RouteRequest {
  /** Bytes of a picture, or what a JSON body holds. */
  readonly body: unknown;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly params: Readonly<Record<string, string>>;
  /** Whether a picture is wanted rather than numbers. */
  readonly wantsPicture: boolean;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly type: string;
  readonly body: Uint8Array | string | object;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  /** What a body may be. */
  readonly takes?: readonly ('picture' | 'rows' | 'latents')[];
  readonly gives: readonly ('json' | 'picture' | 'bytes')[];
  readonly query?: Readonly<Record<string, string>>;
  readonly needs?: 'pictures' | 'archives';
  readonly answer: (context: Context, request: RouteRequest) => Promise<Answer>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
const json = (body: object): Answer => ({ type: JSON_TYPE, body });

export const ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/encode',
    summary: 'Mean and log-variance of the posterior of each row.',
    takes: ['picture', 'rows'],
    gives: ['json'],
    async answer(context, request) {
      const { batcher, observer } = context;
      const { rows, labels } = await readBody(context, request, context.vae.dataShape);
      const { signal } = request;
      const found = await observer.stage('encode', () => batcher.encode(rows, { signal, ...labels }));
      return json({ mean: nested(found.mean), logVariance: nested(found.logVariance) });
    },
  },
  {
    method: 'POST',
    path: '/decode',
    summary: 'What each latent decodes to: numbers, or of one latent a picture (Accept: image/png).',
    takes: ['latents'],
    gives: ['json', 'picture'],
    async answer(context, request) {
      const { batcher, observer } = context;
      const { rows, labels } = await readBody(context, request, context.vae.latentShape);
      const { signal } = request;
      const decoded = await observer.stage('decode', () => batcher.decode(rows, { signal, ...labels }));
      return written(context, decoded, request.wantsPicture);
    },
  },
  {
    method: 'POST',
    path: '/reconstruct',
    summary: 'Each row encoded and decoded: of a picture a picture, of numbers numbers, unless Accept says otherwise.',
    takes: ['picture', 'rows'],
    gives: ['picture', 'json'],
    async answer(context, request) {
      const { batcher, observer } = context;
      const { rows, labels } = await readBody(context, request, context.vae.dataShape);
      const { signal } = request;
      const rebuilt = await observer.stage('reconstruct', () => batcher.reconstruct(rows, { signal, ...labels }));
      return written(context, rebuilt, request.wantsPicture);
    },
  },
  {
    method: 'GET',
    path: '/sample',
    summary: 'New examples from the prior: numbers, or one picture (Accept: image/png).',
    gives: ['json', 'picture'],
    query: {
      count: 'how many, default 1',
      seed: 'of the draws, default: new ones',
      temperature: 'default 1',
      label: 'class number',
    },
    async answer(context, { query, wantsPicture, signal }) {
      const { vae, observer, settings } = context;
      const count = numberOf(query, 'count', 1, { low: 1, high: settings.maxRows, whole: true })!;
      const seed = numberOf(query, 'seed', undefined, { low: 0, high: Number.MAX_SAFE_INTEGER, whole: true });
      const temperature = numberOf(query, 'temperature', undefined, { low: 0, high: 100, whole: false });
      const label = numberOf(query, 'label', undefined, { low: 0, high: Number.MAX_SAFE_INTEGER, whole: true });
      const samples = await observer.stage('sample', () =>
        vae.sample(count, {
          signal,
          ...(seed !== undefined && { seed }),
          ...(temperature !== undefined && { temperature }),
          ...(label !== undefined && { labels: label }),
        }),
      );
      return written(context, samples, wantsPicture);
    },
  },
  {
    method: 'POST',
    path: '/score',
    summary: 'The evidence lower bound of each row and its terms, in nats.',
    takes: ['picture', 'rows'],
    gives: ['json'],
    async answer(context, request) {
      const { vae, observer } = context;
      const { rows, labels } = await readBody(context, request, vae.dataShape);
      const { signal } = request;
      const scores = await observer.stage('score', () => context.batcher.score(rows, { signal, ...labels }));
      const { elbo, reconstruction, kl } = scores;
      return json({ elbo: [...elbo], reconstruction: [...reconstruction], kl: [...kl] });
    },
  },
  {
    method: 'GET',
    path: '/archives',
    summary: 'Names of the archives.',
    gives: ['json'],
    needs: 'archives',
    answer: async ({ archives }) => json({ archives: await archives!.names() }),
  },
  {
    method: 'GET',
    path: '/archives/:name',
    summary: 'What an archive holds.',
    gives: ['json'],
    needs: 'archives',
    answer: async ({ archives }, { params }) => json(await archives!.describe(params['name'] ?? '')),
  },
  {
    method: 'GET',
    path: '/archives/:name/items',
    summary: 'Items of an archive as bytes, one after another; X-Shape has their shape.',
    gives: ['bytes'],
    query: { from: 'first item, default 0', to: 'the one after the last, default: all' },
    needs: 'archives',
    async answer({ archives }, { params, query, signal }) {
      const bounds = { low: 0, high: Number.MAX_SAFE_INTEGER, whole: true };
      const from = numberOf(query, 'from', 0, bounds)!;
      const { data, shape } = await archives!.read(
        params['name'] ?? '',
        from,
        numberOf(query, 'to', undefined, bounds),
        signal,
      );
      return { type: 'application/octet-stream', body: data, headers: { 'x-shape': shape.join(',') } };
    },
  },
];

interface Body {
  readonly rows: RowsInput;
  readonly labels: { readonly labels?: number | readonly number[] };
}

/** Only numbers and the bytes of a picture get in: a text of a client is never a path. */
async function readBody(context: Context, { body, signal }: RouteRequest, shape: readonly number[]): Promise<Body> {
  const { pictures, observer, settings } = context;
  if (Buffer.isBuffer(body)) {
    if (pictures === undefined || shape !== context.vae.dataShape) {
      throw new VaeError('ERR_VAE_OPTION', 'This takes no pictures; send rows of numbers as application/json.');
    }
    return { rows: await observer.stage('read', () => pictures.read(body, signal)), labels: {} };
  }
  const { rows, labels } = Array.isArray(body) ? { rows: body as unknown } : ((body ?? {}) as Record<string, unknown>);
  if (!Array.isArray(rows)) {
    throw new VaeError('ERR_VAE_SHAPE', 'Expected rows of numbers, [[…], …] or { "rows": [[…], …], "labels": […] }.');
  }
  const count = readRows(rows as RowsInput, shape, 'The body').rows;
  if (count > settings.maxRows) {
    throw new VaeError('ERR_VAE_SHAPE', `The body has ${count} rows; at most ${settings.maxRows} are taken at once.`);
  }
  return { rows: rows as RowsInput, labels: labels === undefined ? {} : { labels: classNumbers(labels) } };
}

function classNumbers(labels: unknown): number | readonly number[] {
  const isClass = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (isClass(labels) || (Array.isArray(labels) && labels.every(isClass))) return labels;
  throw new VaeError('ERR_VAE_DATA', 'labels: expected a class number, or one for each row.');
}

async function written(context: Context, result: Tensor, picture: boolean): Promise<Answer> {
  const { pictures, observer } = context;
  if (!picture) return json({ data: nested(result) });
  if (pictures === undefined || result.dims[0] !== 1) {
    throw new VaeError('ERR_VAE_OPTION', 'Only one picture is given as image/png; ask for application/json.');
  }
  return { type: 'image/png', body: await observer.stage('write', () => pictures.write(result)) };
}

/** Rows as arrays of numbers, each flat. */
function nested({ data, dims }: Tensor): number[][] {
  const rows = dims[0]!;
  const width = data.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    Array.from((data as Float32Array).subarray(row * width, (row + 1) * width)),
  );
}

function numberOf(
  query: RouteRequest['query'],
  name: string,
  otherwise: number | undefined,
  { low, high, whole }: { readonly low: number; readonly high: number; readonly whole: boolean },
): number | undefined {
  const text = query[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (value >= low && value <= high && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new VaeError('ERR_VAE_OPTION', `${name}: expected ${kind} from ${low} to ${high}.`);
}

/** Formats of pictures, for messages and the OpenAPI document. */
export const PICTURE_LIST = Object.keys(PICTURE_TYPES);
