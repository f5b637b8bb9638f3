/** Writes the file `checkpoint` that ONNX Runtime's training API loads. */
import { Builder, type Offset } from 'flatbuffers';
import { VaeError } from '../../core/errors.js';
import { dataTypeCode } from '../../graph/proto/data-types.js';
import type { OrtCheckpoint, OrtOptimizerGroup, OrtProperty, OrtTensor } from './checkpoint.js';
import { CHECKPOINT_VERSION, FIELDS, IDENTIFIER } from './fields.js';

/** Offsets of a flatbuffers file are signed numbers of 32 bits. */
const MOST_BYTES = 2 ** 31 - 1;

/** Tensors sorted by name, as ONNX Runtime saves them. */
export function encodeOrtCheckpoint(checkpoint: OrtCheckpoint): Uint8Array {
  const bytes = sizeOf(checkpoint);
  if (bytes > MOST_BYTES) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `A checkpoint of ONNX Runtime holds no more than 2 GB, this one would have ${bytes} bytes; save it without format.`,
    );
  }
  const builder = new Builder(Math.min(bytes + 1024, MOST_BYTES));
  const module = moduleState(builder, checkpoint);
  const groups = offsets(
    builder,
    checkpoint.groups.map((group) => optimizerGroup(builder, group)),
  );
  const bag = checkpoint.properties.length === 0 ? 0 : propertyBag(builder, checkpoint.properties);
  const fields = FIELDS.Checkpoint;
  builder.startObject(Object.keys(fields).length);
  builder.addFieldInt32(fields.version, CHECKPOINT_VERSION, 0);
  builder.addFieldOffset(fields.module_state, module, 0);
  builder.addFieldOffset(fields.optimizer_groups, groups, 0);
  builder.addFieldOffset(fields.property_bag, bag, 0);
  builder.finish(builder.endObject(), IDENTIFIER);
  return builder.asUint8Array();
}

function sizeOf({ trainable, frozen, groups }: OrtCheckpoint): number {
  const tensors = [...trainable, ...frozen];
  for (const { states } of groups) for (const { moments } of states) tensors.push(...moments);
  // Shape, name, table and padding of a tensor, generously.
  return tensors.reduce(
    (sum, { data, dims, name }) => sum + data.byteLength + 8 * dims.length + 3 * name.length + 96,
    0,
  );
}

function moduleState(builder: Builder, { trainable, frozen, nominal }: OrtCheckpoint): Offset {
  const fields = FIELDS.ModuleState;
  const list = (tensors: readonly OrtTensor[]) =>
    offsets(
      builder,
      sorted(tensors, ({ name }) => name).map((each) => tensor(builder, each)),
    );
  const trained = list(trainable);
  const kept = list(frozen);
  builder.startObject(Object.keys(fields).length);
  builder.addFieldOffset(fields.requires_grad_params, trained, 0);
  builder.addFieldOffset(fields.frozen_params, kept, 0);
  builder.addFieldInt8(fields.is_nominal_state, nominal ? 1 : 0, 0);
  return builder.endObject();
}

function tensor(builder: Builder, { name, dtype, dims, data }: OrtTensor): Offset {
  const fields = FIELDS.Tensor;
  const text = builder.createString(name);
  builder.startVector(8, dims.length, 8);
  for (const dim of [...dims].reverse()) builder.addInt64(BigInt(dim));
  const shape = builder.endVector();
  const raw = builder.createByteVector(data);
  builder.startObject(Object.keys(fields).length);
  builder.addFieldOffset(fields.name, text, 0);
  builder.addFieldOffset(fields.dims, shape, 0);
  builder.addFieldInt32(fields.data_type, dataTypeCode(dtype), 0);
  builder.addFieldOffset(fields.raw_data, raw, 0);
  return builder.endObject();
}

function optimizerGroup(builder: Builder, group: OrtOptimizerGroup): Offset {
  const fields = FIELDS.OptimizerGroup;
  const name = builder.createString(group.name);
  const states = offsets(
    builder,
    sorted(group.states, ({ parameter }) => parameter).map(({ parameter, moments }) => {
      const { param_name, momentums } = FIELDS.ParameterOptimizerState;
      const text = builder.createString(parameter);
      const list = offsets(
        builder,
        moments.map((each) => tensor(builder, each)),
      );
      builder.startObject(2);
      builder.addFieldOffset(param_name, text, 0);
      builder.addFieldOffset(momentums, list, 0);
      return builder.endObject();
    }),
  );
  builder.startObject(Object.keys(fields).length);
  builder.addFieldOffset(fields.group_name, name, 0);
  builder.addFieldInt64(fields.step, BigInt(group.step), 0n);
  builder.addFieldFloat32(fields.initial_learning_rate, group.initialLearningRate, 0);
  builder.addFieldOffset(fields.optimizer_states, states, 0);
  return builder.endObject();
}

function propertyBag(builder: Builder, properties: readonly OrtProperty[]): Offset {
  const { name, value } = FIELDS.IntProperty;
  const list = (kind: OrtProperty['kind']): Offset => {
    const kept = properties.filter((property) => property.kind === kind);
    return offsets(
      builder,
      kept.map((property) => {
        const text = builder.createString(property.name);
        const held = property.kind === 'string' ? builder.createString(property.value) : 0;
        builder.startObject(2);
        builder.addFieldOffset(name, text, 0);
        if (property.kind === 'int') builder.addFieldInt64(value, BigInt(property.value), 0n);
        if (property.kind === 'float') builder.addFieldFloat32(value, property.value, 0);
        if (property.kind === 'string') builder.addFieldOffset(value, held, 0);
        return builder.endObject();
      }),
    );
  };
  const fields = FIELDS.PropertyBag;
  const [ints, floats, strings] = [list('int'), list('float'), list('string')];
  builder.startObject(Object.keys(fields).length);
  builder.addFieldOffset(fields.ints, ints, 0);
  builder.addFieldOffset(fields.floats, floats, 0);
  builder.addFieldOffset(fields.strings, strings, 0);
  return builder.endObject();
}

function offsets(builder: Builder, list: readonly Offset[]): Offset {
  builder.startVector(4, list.length, 4);
  for (const offset of [...list].reverse()) builder.addOffset(offset);
  return builder.endVector();
}

/** By the bytes of their names. */
function sorted<T>(list: readonly T[], nameOf: (each: T) => string): T[] {
  return [...list].sort((a, b) => Buffer.compare(Buffer.from(nameOf(a)), Buffer.from(nameOf(b))));
}
