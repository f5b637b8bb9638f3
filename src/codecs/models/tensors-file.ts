/** What files of codec models have in common: safetensors, a header in JSON under the metadata `codec`, a checksum in it. */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { SafeTensor } from '../../artifacts/safetensors.js';

type Tensors = ReadonlyMap<string, SafeTensor>;
type Fail = (what: string) => never;

/** The header, by its schema, of a file whose tensors have the checksum that it names. */
export function readTensorsHeader<Header extends { readonly tensors: string }>(
  schema: z.ZodType<Header>,
  { tensors, metadata }: { readonly tensors: Tensors; readonly metadata: Readonly<Record<string, string>> },
  fail: Fail,
): Header {
  const header = parseHeader(schema, metadata['codec'] ?? '', fail);
  if (tensorsDigest(tensors) !== header.tensors) {
    return fail('its numbers do not have the checksum it names: it is damaged');
  }
  return header;
}

/** A tensor by its name and type. */
export function tensorTaker(tensors: Tensors, fail: Fail) {
  return (name: string, dtype: SafeTensor['dtype']): SafeTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return fail(`tensor "${name}" is missing`);
    if (tensor.dtype !== dtype) return fail(`tensor "${name}" is ${tensor.dtype}, expected ${dtype}`);
    return tensor;
  };
}

/** SHA-256 of the tensors' bytes in the order of their names. */
export function tensorsDigest(tensors: Tensors): string {
  const hash = createHash('sha256');
  for (const name of [...tensors.keys()].sort()) hash.update(tensors.get(name)!.data);
  return hash.digest('hex');
}

/** A copy that begins at an aligned address. */
export function alignedCopy(bytes: Uint8Array, size: number): ArrayBuffer {
  const whole = bytes.byteLength - (bytes.byteLength % size);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + whole) as ArrayBuffer;
}

function parseHeader<Header>(schema: z.ZodType<Header>, text: string, fail: Fail): Header {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('its metadata "codec" is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return fail(`"${issue?.path.join('.')}": ${issue?.message}`);
}
