/** The file itself: the schema, external data, properties, hostile bytes. */
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Builder } from 'flatbuffers';
import { describe, expect, test } from 'vitest';
import {
  decodeOrtCheckpoint,
  isOrtCheckpoint,
  type OrtCheckpoint,
} from '../../../src/artifacts/onnxruntime/checkpoint.js';
import { readOrtCheckpoint } from '../../../src/artifacts/onnxruntime/directory.js';
import { encodeOrtCheckpoint } from '../../../src/artifacts/onnxruntime/encode-checkpoint.js';
import { FIELDS, IDENTIFIER } from '../../../src/artifacts/onnxruntime/fields.js';
import { temporaryFolder } from '../../support/temporary.js';
import { goldenPath } from './golden.js';

const folder = temporaryFolder('checkpoint');

const FORMAT = expect.objectContaining({ code: 'ERR_VAE_FORMAT' });
const float = (name: string, dims: number[], ...values: number[]) => ({
  name,
  dtype: 'float32' as const,
  dims,
  data: new Uint8Array(Float32Array.from(values).buffer),
});

const SMALL: OrtCheckpoint = {
  trainable: [float('w', [2, 1], 1, -2)],
  frozen: [float('é', [], 0.5)],
  nominal: false,
  groups: [
    {
      name: 'group0',
      step: 2 ** 40,
      initialLearningRate: 0.25,
      states: [{ parameter: 'w', moments: [float('momentum0', [2, 1], 3, 4)] }],
    },
  ],
  properties: [
    { name: 'epoch', kind: 'int', value: 3 },
    { name: 'best', kind: 'float', value: 0.5 },
    { name: 'note', kind: 'string', value: 'dernière' },
  ],
};

test('fields.ts and checkpoint.fbs say the same', async () => {
  const path = new URL('../../../src/artifacts/onnxruntime/checkpoint.fbs', import.meta.url);
  const schema = (await readFile(path, 'utf8')).replace(/\/\/.*/g, '');
  const tables = Object.fromEntries(
    [...schema.matchAll(/table (\w+) \{([^}]*)\}/g)].map(([, name, body]) => {
      const fields = [...body!.matchAll(/(\w+)\s*:/g)].map(([, field], index) => [field!, index]);
      return [name!, Object.fromEntries(fields)];
    }),
  );
  expect(tables).toEqual(FIELDS);
  expect(schema).toContain(`file_identifier "${IDENTIFIER}"`);
});

test('everything in a checkpoint is written and read back', () => {
  const bytes = encodeOrtCheckpoint(SMALL);
  expect(isOrtCheckpoint(bytes)).toBe(true);
  expect(decodeOrtCheckpoint(bytes, 'it')).toEqual(SMALL);
});

test.each(['vae-adamw/checkpoint', 'conv-adamw/nominal_checkpoint', 'conv-adamw.step25.checkpoint'])(
  '%s is written and read back',
  async (name) => {
    const read = decodeOrtCheckpoint(new Uint8Array(await readFile(goldenPath(name))), name);
    const again = decodeOrtCheckpoint(encodeOrtCheckpoint(read), name);
    const byName = <T extends { name: string }>(list: readonly T[]) => new Map(list.map((each) => [each.name, each]));
    expect(byName(again.trainable)).toEqual(byName(read.trainable));
    expect(again.nominal).toBe(name.includes('nominal'));
    expect(again.groups.map(({ step }) => step)).toEqual(name.includes('step25') ? [25] : []);
  },
);

/** A checkpoint of one tensor whose bytes lie in the file beside it. */
function external(offset: bigint, hasExternal = true): Uint8Array {
  const builder = new Builder(256);
  const name = builder.createString('w');
  builder.startVector(8, 1, 8);
  builder.addInt64(2n);
  const dims = builder.endVector();
  builder.startObject(7);
  builder.addFieldOffset(FIELDS.Tensor.name, name, 0);
  builder.addFieldOffset(FIELDS.Tensor.dims, dims, 0);
  builder.addFieldInt32(FIELDS.Tensor.data_type, 1, 0);
  builder.addFieldInt64(FIELDS.Tensor.external_data_offset, offset, -1n);
  const tensor = builder.endObject();
  builder.startVector(4, 1, 4);
  builder.addOffset(tensor);
  const list = builder.endVector();
  builder.startObject(4);
  builder.addFieldOffset(FIELDS.ModuleState.requires_grad_params, list, 0);
  builder.addFieldInt8(FIELDS.ModuleState.has_external_data, hasExternal ? 1 : 0, 0);
  const module = builder.endObject();
  builder.startObject(4);
  builder.addFieldInt32(FIELDS.Checkpoint.version, 2, 0);
  builder.addFieldOffset(FIELDS.Checkpoint.module_state, module, 0);
  builder.finish(builder.endObject(), IDENTIFIER);
  return builder.asUint8Array();
}

describe('external data', () => {
  const values = new Uint8Array(Float32Array.of(9, 7, 5).buffer);

  test('is read from the file beside', async () => {
    const path = join(folder, 'checkpoint');
    await writeFile(path, external(4n));
    await expect(readOrtCheckpoint(path)).rejects.toThrow(/\.data, which is not there/);
    await writeFile(`${path}.data`, values);
    const { trainable } = await readOrtCheckpoint(path);
    expect(new Float32Array(trainable[0]!.data.slice().buffer)).toEqual(Float32Array.of(7, 5));
  });

  test.each([8n, -2n, 2n ** 62n])('at %s is refused', (offset) => {
    expect(() => decodeOrtCheckpoint(external(offset), 'it', values)).toThrow(FORMAT);
  });

  test('is not read where the module says that it has none', () => {
    expect(() => decodeOrtCheckpoint(external(0n, false), 'it', values)).toThrow(FORMAT);
  });

  test('is not read from outside of the folder', async () => {
    const path = join(folder, 'linked');
    await writeFile(path, external(0n));
    await symlink(goldenPath('conv-adamw/checkpoint'), `${path}.data`);
    await expect(readOrtCheckpoint(path)).rejects.toThrow(/leads out of its folder/);
  });
});

describe('hostile bytes', () => {
  const sound = encodeOrtCheckpoint(SMALL);
  const changed = (change: (view: DataView) => void): Uint8Array => {
    const bytes = sound.slice();
    change(new DataView(bytes.buffer));
    return bytes;
  };

  test.each([0, 4, 8, 20, sound.length - 16])('a file that ends after %i bytes', (length) => {
    expect(() => decodeOrtCheckpoint(sound.slice(0, length), 'it')).toThrow(FORMAT);
  });

  test('another version says which are read', () => {
    const root = new DataView(sound.buffer, sound.byteOffset).getUint32(0, true);
    const at = [...sound.slice(root, root + 24)].indexOf(2) + root;
    expect(() =>
      decodeOrtCheckpoint(
        changed((view) => view.setInt32(at, 7, true)),
        'it',
      ),
    ).toThrow(/version 7/);
  });

  test('a root that points at itself, behind the end, or into a table of no fields', () => {
    for (const offset of [0, sound.length, 0xffffffff]) {
      expect(() =>
        decodeOrtCheckpoint(
          changed((view) => view.setUint32(0, offset, true)),
          'it',
        ),
      ).toThrow(FORMAT);
    }
  });

  test('every word set to something large or to zero is read or refused, in bounded time and memory', () => {
    let refused = 0;
    for (let at = 0; at + 4 <= sound.length; at += 1) {
      for (const value of [0xffffffff, 0x7fffffff, 0, sound.length]) {
        if (at < 8 && at >= 4) continue;
        try {
          decodeOrtCheckpoint(
            changed((view) => view.setUint32(at, value, true)),
            'it',
          );
        } catch (error) {
          expect(error).toEqual(FORMAT);
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(sound.length);
  });

  test('vectors that share one table a thousand times over', () => {
    const builder = new Builder(1 << 16);
    const name = builder.createString('w');
    const raw = builder.createByteVector(new Uint8Array(4000));
    builder.startVector(8, 1, 8);
    builder.addInt64(1000n);
    const dims = builder.endVector();
    builder.startObject(7);
    builder.addFieldOffset(FIELDS.Tensor.name, name, 0);
    builder.addFieldOffset(FIELDS.Tensor.dims, dims, 0);
    builder.addFieldInt32(FIELDS.Tensor.data_type, 1, 0);
    builder.addFieldOffset(FIELDS.Tensor.raw_data, raw, 0);
    const tensor = builder.endObject();
    builder.startVector(4, 1000, 4);
    for (let index = 0; index < 1000; index += 1) builder.addOffset(tensor);
    const list = builder.endVector();
    builder.startObject(4);
    builder.addFieldOffset(FIELDS.ModuleState.requires_grad_params, list, 0);
    const module = builder.endObject();
    builder.startObject(4);
    builder.addFieldInt32(FIELDS.Checkpoint.version, 2, 0);
    builder.addFieldOffset(FIELDS.Checkpoint.module_state, module, 0);
    builder.finish(builder.endObject(), IDENTIFIER);
    expect(() => decodeOrtCheckpoint(builder.asUint8Array(), 'it')).toThrow(/shares its bytes/);
  });
});
