/** Between a checkpoint of ONNX Runtime and the state of a session. */
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { printable } from '../../graph/external-data.js';
import type { Checkpoint } from '../checkpoint.js';
import type { Artifacts } from '../generate.js';
import type { ArtifactsManifest } from '../manifest.js';
import type { OrtCheckpoint, OrtTensor } from './checkpoint.js';

const SLOTS = ['moment1', 'moment2'] as const;
const GROUP = 'group0';

/** @throws VaeError ERR_VAE_REPRODUCIBILITY where the checkpoint is of other graphs. */
export function toCheckpoint(
  { manifest, checkpoint: fresh }: Pick<Artifacts, 'manifest' | 'checkpoint'>,
  saved: OrtCheckpoint,
  where: string,
): Checkpoint {
  const known = new Map(saved.trainable.map((tensor) => [tensor.name, tensor]));
  const parameters = flat(manifest, (name) => known.get(name), where);
  const [group, ...more] = saved.groups;
  if (more.length > 0) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `"${where}" has ${saved.groups.length} groups of the optimizer (${saved.groups.map(({ name }) => printable(name)).join(', ')}); one is supported.`,
    );
  }
  const slots: Partial<Record<'moment1' | 'moment2', Float32Array>> = {};
  const count = manifest.optimizer.type === 'sgd' ? 0 : 2;
  const states = new Map(group?.states.map((state) => [state.parameter, state]));
  for (const [index, slot] of SLOTS.slice(0, group === undefined ? 0 : count).entries()) {
    slots[slot] = flat(manifest, (name) => states.get(name)?.moments[index], where);
  }
  const step = group?.step ?? 0;
  return {
    ...fresh,
    parameters,
    slots,
    progress: {
      ...fresh.progress,
      step,
      microBatch: step,
      learningRate: group?.initialLearningRate ?? 0,
      optimizer: manifest.optimizer.type,
    },
  };
}

function flat(
  { parameters }: Pick<ArtifactsManifest, 'parameters'>,
  find: (name: string) => OrtTensor | undefined,
  where: string,
): Float32Array {
  const whole = new Float32Array(parameters.reduce((sum, { dims }) => sum + elementCount(dims), 0));
  let offset = 0;
  for (const { name, dims } of parameters) {
    const tensor = find(name);
    if (tensor === undefined || tensor.dtype !== 'float32' || tensor.dims.join() !== dims.join()) {
      const found = tensor === undefined ? 'none' : `${tensor.dtype} [${tensor.dims.join(', ')}]`;
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `"${where}" belongs to other graphs: "${printable(name)}" should be float32 [${dims.join(', ')}], the file has ${found}.`,
      );
    }
    // The file's bytes need not be aligned.
    whole.set(new Float32Array(tensor.data.slice().buffer), offset);
    offset += elementCount(dims);
  }
  return whole;
}

/** What ONNX Runtime goes on from. Frozen parameters and properties are those that came with the graphs. */
export function fromCheckpoint(
  { manifest, parameters, slots, progress }: Checkpoint,
  origin: { readonly checkpoint: OrtCheckpoint; readonly moments: number },
  withOptimizer: boolean,
): OrtCheckpoint {
  const dims = new Map(manifest.parameters.map((parameter) => [parameter.name, parameter.dims]));
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const parameter of manifest.parameters) {
    offsets.set(parameter.name, offset);
    offset += elementCount(parameter.dims);
  }
  const part = (name: string, like: OrtTensor, values: Float32Array | undefined): OrtTensor => {
    const at = offsets.get(like.name);
    const shape = dims.get(like.name) ?? like.dims;
    const count = elementCount(shape);
    // A parameter that the graphs do not use has moments of zeros, and so has one whose optimizer keeps none.
    const data = at === undefined || values === undefined ? new Float32Array(count) : values.slice(at, at + count);
    return { name, dtype: 'float32', dims: shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  };
  const { trainable, frozen, groups, properties } = origin.checkpoint;
  const moments = SLOTS.slice(0, origin.moments);
  const states = trainable.map((tensor) => ({
    parameter: tensor.name,
    moments: moments.map((slot, index) => part(`momentum${index}`, tensor, slots[slot])),
  }));
  const group = {
    name: groups[0]?.name ?? GROUP,
    step: progress.step,
    initialLearningRate: progress.learningRate,
    states,
  };
  return {
    trainable: trainable.map((tensor) => (offsets.has(tensor.name) ? part(tensor.name, tensor, parameters) : tensor)),
    frozen,
    nominal: false,
    groups: withOptimizer ? [group] : [],
    properties,
  };
}
