import type { Message } from '@bufbuild/protobuf';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';
import { isVaeError, type VaeErrorCode } from '../../src/core/errors.js';
import { type Model, readModel, writeModel } from '../../src/graph/index.js';
import { type ModelProto, ModelProtoSchema } from '../../src/graph/proto/onnx_pb.js';

export type Feeds = Record<string, ort.Tensor>;

/** Runs a model on the CPU with one thread, which creates sessions fastest. */
export async function run(model: Model | Uint8Array, feeds: Feeds): Promise<Record<string, ort.Tensor>> {
  const bytes = model instanceof Uint8Array ? model : writeModel(model);
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  try {
    return (await session.run(feeds)) as Record<string, ort.Tensor>;
  } finally {
    await session.release();
  }
}

export function floats(values: readonly number[], dims: readonly number[] = [values.length]): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.from(values), [...dims]);
}

/** Numbers that look random and are the same each time. */
export function waves(count: number, step = 0.7): number[] {
  return Array.from({ length: count }, (_, index) => Math.sin(1 + index * step));
}

/** Expects a VaeError of this code whose message holds all these texts. */
export function expectVaeError(action: () => unknown, code: VaeErrorCode, ...texts: string[]): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  checkVaeError(thrown, code, texts);
}

export async function expectVaeRejection(
  promise: Promise<unknown>,
  code: VaeErrorCode,
  ...texts: string[]
): Promise<void> {
  let thrown: unknown;
  await promise.catch((error) => {
    thrown = error;
  });
  checkVaeError(thrown, code, texts);
}

function checkVaeError(thrown: unknown, code: VaeErrorCode, texts: readonly string[]): void {
  expect(thrown, 'expected a VaeError').toSatisfy(isVaeError);
  const { code: found, message } = thrown as { code: string; message: string };
  expect(found, message).toBe(code);
  for (const text of texts) expect(message).toContain(text);
}

export type ModelInit = MessageInitShape<typeof ModelProtoSchema>;

/** Bytes of a model described field by field, for forms that our own writer never writes. */
export function modelBytes(init: ModelInit): Uint8Array {
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, init));
}

/** A model of opset 18 around this graph. */
export function graphBytes(
  graph: NonNullable<Exclude<ModelInit, Message>['graph']>,
  opset = 18,
  more: Partial<Exclude<ModelInit, Message>> = {},
): Uint8Array {
  return modelBytes({ irVersion: 8n, opsetImport: [{ domain: '', version: BigInt(opset) }], graph, ...more });
}

export function parseModel(bytes: Uint8Array): ModelProto {
  return fromBinary(ModelProtoSchema, bytes);
}

/** A float32 value of this name; numbers and symbols as lengths. */
export function valueInfo(name: string, shape: readonly (number | string)[], elemType = 1) {
  const dim = shape.map((length) => ({
    value:
      typeof length === 'number'
        ? { case: 'dimValue' as const, value: BigInt(length) }
        : { case: 'dimParam' as const, value: length },
  }));
  return { name, type: { value: { case: 'tensorType' as const, value: { elemType, shape: { dim } } } } };
}

/** The value of a symbolic length, worked out by JavaScript itself. */
export function evaluate(dim: number | string | undefined, lengths: Record<string, number>): number {
  if (typeof dim === 'number') return dim;
  expect(dim).toBeTypeOf('string');
  const names = Object.keys(lengths);
  const body = `const floor = Math.floor; return ${dim};`;
  return new Function(...names, body)(...names.map((name) => lengths[name]));
}

/** The model after it was written and read. */
export function readBack(model: Model): Model {
  return readModel(writeModel(model));
}
