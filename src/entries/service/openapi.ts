/** The OpenAPI document of the service, from its table of routes. */
import { packageVersion } from '../../core/package-files.js';
import type { Vae } from '../../vae/index.js';
import { PICTURE_LIST, type Route } from './routes.js';

export function openApiOf(routes: readonly Route[], vae: Vae): object {
  const row = (shape: readonly number[]) => ({
    type: 'array',
    items: { type: 'array', items: { type: 'number' } },
    description: `rows of [${shape.join(', ')}], flat or nested`,
  });
  const rows = (shape: readonly number[]) => ({
    'application/json': {
      schema: {
        oneOf: [
          row(shape),
          {
            type: 'object',
            required: ['rows'],
            properties: { rows: row(shape), labels: { type: 'array', items: { type: 'integer' } } },
          },
        ],
      },
    },
  });
  const binary = { schema: { type: 'string', format: 'binary' } };
  const takes = {
    picture: Object.fromEntries(PICTURE_LIST.map((type) => [type, binary])),
    rows: rows(vae.dataShape),
    latents: rows(vae.latentShape),
  };
  const gives = {
    json: { 'application/json': { schema: { type: 'object' } } },
    picture: { 'image/png': binary },
    bytes: { 'application/octet-stream': binary },
  };
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
    const inQuery = Object.entries(route.query ?? {}).map(([name, description]) => ({
      name,
      in: 'query',
      description,
      schema: { type: 'number' },
    }));
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: {
        summary: route.summary,
        ...(inPath.length + inQuery.length > 0 && { parameters: [...inPath, ...inQuery] }),
        ...(route.takes && {
          requestBody: { required: true, content: Object.assign({}, ...route.takes.map((kind) => takes[kind])) },
        }),
        responses: {
          200: { description: 'done', content: Object.assign({}, ...route.gives.map((kind) => gives[kind])) },
          ...(route.takes && {
            413: { description: 'the body is too large' },
            415: { description: 'a type that is not taken, or no picture' },
          }),
          422: { description: 'the values, shape or numbers do not fit' },
          503: { description: 'busy or closing; Retry-After says when to try again' },
        },
      },
    };
  }
  return { openapi: '3.1.0', info: { title: 'node-vae serve', version: packageVersion() }, paths };
}
