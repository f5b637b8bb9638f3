/**
 * Buckets by the S3 protocol, through @aws-sdk/client-s3 where it is installed. Credentials, region and endpoint come from
 * where the SDK looks for them (environment, ~/.aws, roles), and are neither kept nor told.
 */
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { VaeError } from '../../core/errors.js';
import { importOptional } from '../../core/optional-package.js';
import type { FoundInput, OpenInput, Place, Storage } from './place.js';

const SCHEME = 's3://';

export function isS3(path: string): boolean {
  return path.startsWith(SCHEME);
}

/** Bucket and key of a URL. @throws VaeError ERR_VAE_OPTION where it names no bucket. */
export function parseS3(url: string): { readonly bucket: string; readonly key: string } {
  const rest = url.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  if (!/^[a-z0-9][a-z0-9.-]{1,62}$/.test(bucket)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `"${url}" names no bucket: expected s3://bucket/prefix, with a bucket of lower-case letters, digits, dots and dashes.`,
    );
  }
  return { bucket, key: slash < 0 ? '' : rest.slice(slash + 1) };
}

/** Files up to this size go up in one request; larger ones in parts of this size. */
const PART_BYTES = 8 << 20;

type Sdk = typeof import('@aws-sdk/client-s3');

let shared: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

/** One client for the process: it keeps connections open. */
function connect(): Promise<{ sdk: Sdk; client: S3Client }> {
  shared ??= (async () => {
    const sdk = await importOptional(
      '@aws-sdk/client-s3',
      'Reading and writing s3:// URLs',
      () => import('@aws-sdk/client-s3'),
    );
    const own = process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
    // Servers of one's own seldom have a name for each bucket.
    const client = new sdk.S3Client({
      ...(own !== undefined && { forcePathStyle: true }),
      // Checksums that only newer servers know are left to those that ask for them.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 5,
    });
    return { sdk, client };
  })();
  shared.catch(() => {
    shared = undefined;
  });
  return shared;
}

/** What S3 says, in this package's words, without what the request carried. */
function s3Error(error: unknown, doing: string): VaeError {
  if (error instanceof VaeError) return error;
  const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode === undefined ? '' : `, HTTP ${$metadata.httpStatusCode}`;
  // Answers to HEAD have no words of their own.
  const remedy = REMEDIES[name] ?? ($metadata?.httpStatusCode === 403 ? REMEDIES['AccessDenied'] : message);
  return new VaeError('ERR_VAE_IO', `Failed ${doing}: ${remedy} (${name}${status}).`, { cause: error });
}

const REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket',
  NoSuchKey: 'there is no such object',
  NotFound: 'there is no such object or bucket',
  AccessDenied: 'access was denied; check the credentials and what they may do',
  Forbidden: 'access was denied; check the credentials and what they may do',
  InvalidAccessKeyId: 'the access key is not known there',
  SignatureDoesNotMatch: 'the secret key is wrong',
  CredentialsProviderError:
    'no credentials were found; give them as the AWS SDK takes them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role',
  ECONNREFUSED: 'nothing answers at the endpoint; check AWS_ENDPOINT_URL',
};

function isMissing(error: unknown): boolean {
  const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
  return name === 'NoSuchKey' || name === 'NotFound' || $metadata?.httpStatusCode === 404;
}

function foundObject(bucket: string, key: string, name: string, size: number, etag: string | undefined): FoundInput {
  return { path: `${SCHEME}${bucket}/${key}`, name, size, state: (etag ?? '').replaceAll('"', '') };
}

async function head(bucket: string, key: string): Promise<{ size: number; etag: string } | undefined> {
  const { sdk, client } = await connect();
  try {
    const found = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
    return { size: found.ContentLength ?? 0, etag: found.ETag ?? '' };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw s3Error(error, `reading ${SCHEME}${bucket}/${key}`);
  }
}

async function* listObjects(
  bucket: string,
  prefix: string,
  signal?: AbortSignal,
  delimiter?: string,
): AsyncGenerator<{ key: string; size: number; etag: string | undefined }> {
  const { sdk, client } = await connect();
  let token: string | undefined;
  do {
    signal?.throwIfAborted();
    const page = await client
      .send(
        new sdk.ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ContinuationToken: token,
          ...(delimiter && { Delimiter: delimiter }),
        }),
        signal ? { abortSignal: signal } : {},
      )
      .catch((error: unknown) => {
        if (signal?.aborted) throw signal.reason;
        throw s3Error(error, `listing ${SCHEME}${bucket}/${prefix}`);
      });
    for (const { Key, Size, ETag } of page.Contents ?? []) yield { key: Key!, size: Size ?? 0, etag: ETag };
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

async function readRange(
  bucket: string,
  key: string,
  range: string | undefined,
  signal: AbortSignal | undefined,
): Promise<{ bytes: Uint8Array; etag: string }> {
  const { sdk, client } = await connect();
  try {
    const found = await client.send(
      new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ...(range && { Range: range }) }),
      signal ? { abortSignal: signal } : {},
    );
    return { bytes: await found.Body!.transformToByteArray(), etag: found.ETag ?? '' };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw s3Error(error, `reading ${SCHEME}${bucket}/${key}`);
  }
}

export const s3Storage: Storage = {
  async stat(path) {
    const { bucket, key } = parseS3(path);
    if (key !== '' && !key.endsWith('/')) {
      const found = await head(bucket, key);
      if (found !== undefined) {
        const name = key.slice(key.lastIndexOf('/') + 1);
        return { kind: 'file', file: foundObject(bucket, key, name, found.size, found.etag) };
      }
    }
    const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
    for await (const _ of listObjects(bucket, prefix)) return { kind: 'folder' };
    return undefined;
  },
  async *walk(folder, { hidden, signal }) {
    const { bucket, key } = parseS3(folder);
    const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
    for await (const object of listObjects(bucket, prefix, signal)) {
      const name = object.key.slice(prefix.length);
      // Consoles make empty objects to show folders.
      if (name === '' || name.endsWith('/')) continue;
      if (!hidden && name.split('/').some((part) => part.startsWith('.'))) continue;
      yield foundObject(bucket, object.key, name, object.size, object.etag);
    }
  },
  async open(path): Promise<OpenInput> {
    const { bucket, key } = parseS3(path);
    const found = await head(bucket, key);
    if (found === undefined) throw new VaeError('ERR_VAE_IO', `Failed reading ${path}: there is no such object.`);
    const { size } = found;
    return {
      ...{ path, size, state: found.etag.replaceAll('"', '') },
      async read(offset, length, signal) {
        if (length === 0) return new Uint8Array();
        if (offset + length <= size) {
          const { bytes } = await readRange(bucket, key, `bytes=${offset}-${offset + length - 1}`, signal);
          if (bytes.length === length) return bytes;
        }
        throw new VaeError('ERR_VAE_FORMAT', `${path}: ends before byte ${offset + length}; it has ${size}.`);
      },
      async close() {},
    };
  },
  async readWhole(path, signal) {
    const { bucket, key } = parseS3(path);
    const { bytes, etag } = await readRange(bucket, key, undefined, signal);
    return { bytes, size: bytes.length, state: etag.replaceAll('"', '') };
  },
};

/** A prefix of a bucket as a job's folder. An object appears under its name only when all of it is there. */
export function s3Place(url: string): Place {
  const { bucket, key: root } = parseS3(url.replace(/\/+$/, ''));
  const at = (name: string): string => (root === '' ? name : `${root}/${name}`);
  return {
    url: url.replace(/\/+$/, ''),
    local: undefined,
    async read(name, signal) {
      const found = await head(bucket, at(name));
      return found === undefined ? undefined : (await readRange(bucket, at(name), undefined, signal)).bytes;
    },
    async size(name) {
      return (await head(bucket, at(name)))?.size;
    },
    async write(name, chunks, signal) {
      const { sdk, client } = await connect();
      const where = { Bucket: bucket, Key: at(name) };
      const stream = inParts(chunks);
      try {
        const first = await stream.next();
        const second = first.done ? first : await stream.next();
        if (second.done) {
          const body = first.done ? new Uint8Array() : first.value;
          await client.send(
            new sdk.PutObjectCommand({ ...where, Body: body, ContentLength: body.length }),
            signal ? { abortSignal: signal } : {},
          );
          return;
        }
        const { Upload } = await importOptional(
          '@aws-sdk/lib-storage',
          'Writing large files to s3:// URLs',
          () => import('@aws-sdk/lib-storage'),
        );
        const rest = async function* (): AsyncGenerator<Uint8Array> {
          yield first.value as Uint8Array;
          yield second.value as Uint8Array;
          yield* stream;
        };
        const params = { ...where, Body: Readable.from(rest(), { objectMode: false }) };
        const upload = new Upload({ client, params, partSize: PART_BYTES, queueSize: 4 });
        const stop = (): void => void upload.abort();
        signal?.addEventListener('abort', stop, { once: true });
        try {
          await upload.done();
        } finally {
          signal?.removeEventListener('abort', stop);
        }
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw s3Error(error, `writing ${SCHEME}${bucket}/${at(name)}`);
      }
    },
    async *names(folder) {
      const prefix = folder === '' ? at('') : `${at(folder)}/`;
      const whole = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
      for await (const { key } of listObjects(bucket, whole, undefined, '/')) yield key.slice(whole.length);
    },
    async remove(name) {
      const { sdk, client } = await connect();
      await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: at(name) })).catch((error: unknown) => {
        throw s3Error(error, `removing ${SCHEME}${bucket}/${at(name)}`);
      });
    },
  };
}

/** Chunks put together to the size of a part. */
async function* inParts(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    held.push(Uint8Array.from(chunk));
    bytes += chunk.length;
    if (bytes < PART_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(held);
}
