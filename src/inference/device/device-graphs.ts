/**
 * Small graphs beside a model's own, for tensors that stay with the execution provider: what happens to
 * latents in JavaScript otherwise happens there.
 */
import type { ArrayRecipe } from '../../data/array/recipe.js';
import { GraphBuilder, type Value } from '../../graph/builder.js';
import type { Model } from '../../graph/ir.js';
import { type LatentScaling, type Networks, POINT_LOG_VARIANCE } from '../networks.js';

/**
 * `posterior`: what the encoder gives to `mean` and `log_variance` as users see them; `latent`: such a
 * mean to what the decoder takes; `output`: what the decoder gives to float32, and back from mean 0 and deviation 1; `copy`: float32 as it is.
 */
export type DeviceGraphKind = 'device:posterior' | 'device:latent' | 'device:output' | 'device:copy';

/** Numbers of element types in the ONNX format. */
const TYPES = { float32: 1, float16: 10 } as const;

/** Whether the encoder's outputs are the mean and log-variance already. */
export function givesPosterior({ encoder, scaling, logVarianceRange }: Networks): boolean {
  return (
    encoder.posterior.kind === 'pair' &&
    encoder.dtype === 'float32' &&
    scaling === undefined &&
    logVarianceRange === undefined
  );
}

export function takesLatents({ decoder, scaling }: Networks): boolean {
  return decoder.dtype === 'float32' && scaling === undefined;
}

/** @param rank of a batch of what the graph takes. */
export function deviceGraph(kind: DeviceGraphKind, networks: Networks, rank: number): Model {
  const g = new GraphBuilder({ name: kind.replace(':', '_') });
  const dims = Array.from({ length: rank }, (_, axis) => `dim${axis}`);
  switch (kind) {
    case 'device:posterior':
      buildPosterior(g, networks, dims);
      break;
    case 'device:latent': {
      const latent = g.input('input', 'float32', dims);
      const { scaling, decoder } = networks;
      const raw = scaling === undefined ? latent : unscaled(g, latent, scaling, rank);
      g.output('output', g.op('Cast', [raw], { to: TYPES[decoder.dtype] }));
      break;
    }
    case 'device:output': {
      const wide = g.op('Cast', [g.input('input', networks.decoder.dtype, dims)], { to: TYPES.float32 });
      const { dataScaling } = networks;
      g.output('output', dataScaling === undefined ? wide : unstandardised(g, wide, dataScaling, rank));
      break;
    }
    case 'device:copy':
      g.output('output', g.op('Identity', [g.input('input', 'float32', dims)]));
      break;
  }
  return g.model;
}

/** Names of the encoder's outputs, in the order of the inputs `input0`, ... of the posterior's graph. */
export function posteriorNames({ encoder: { posterior } }: Networks): string[] {
  return posterior.kind === 'pair' ? [posterior.mean, posterior.logVariance] : [posterior.name];
}

function buildPosterior(g: GraphBuilder, networks: Networks, dims: readonly string[]): void {
  const { encoder, latentShape, scaling, logVarianceRange } = networks;
  const { posterior } = encoder;
  const channels = latentShape[0]!;
  const shape = posterior.kind === 'moments' ? [dims[0]!, 2 * channels, ...dims.slice(2)] : dims;
  const raw = posteriorNames(networks).map((_, index) => {
    const given = g.input(`input${index}`, encoder.dtype, shape);
    return g.op('Cast', [given], { to: TYPES.float32 });
  });
  let [mean, logVariance] = raw as [Value, Value | undefined];
  if (posterior.kind === 'moments') {
    const halves = g.ops('Split', [mean, g.int64s([channels, channels])], { axis: 1 }, { outputs: 2 });
    [mean, logVariance] = halves as [Value, Value];
  }
  logVariance ??= g.op('Add', [g.op('Mul', [mean, g.scalar(0)]), g.scalar(POINT_LOG_VARIANCE)]);
  if (logVarianceRange !== undefined) {
    logVariance = g.op('Clip', [logVariance, g.scalar(logVarianceRange[0]), g.scalar(logVarianceRange[1])]);
  }
  if (scaling !== undefined) {
    const { scale, shift } = byChannel(g, scaling, dims.length);
    mean = g.op('Mul', [g.op('Sub', [mean, shift]), scale]);
    const widening = scaling.scale.map((value) => 2 * Math.log(value));
    logVariance = g.op('Add', [logVariance, channelValues(g, widening, dims.length)]);
  }
  g.output('mean', mean);
  g.output('log_variance', logVariance);
}

/** Whether what the decoder gives is the data. */
export function givesData({ decoder, dataScaling }: Networks): boolean {
  return decoder.dtype === 'float32' && dataScaling === undefined;
}

function unstandardised(g: GraphBuilder, rows: Value, { mean, deviation }: ArrayRecipe, rank: number): Value {
  const [centre, spread] = [mean, deviation].map((values) => channelValues(g, Float32Array.from(values), rank));
  return g.op('Add', [g.op('Mul', [rows, spread!]), centre!]);
}

function unscaled(g: GraphBuilder, latent: Value, scaling: LatentScaling, rank: number): Value {
  const { scale, shift } = byChannel(g, scaling, rank);
  return g.op('Add', [g.op('Div', [latent, scale]), shift]);
}

function byChannel(g: GraphBuilder, { scale, shift }: LatentScaling, rank: number): { scale: Value; shift: Value } {
  return { scale: channelValues(g, scale, rank), shift: channelValues(g, shift, rank) };
}

/** One value for each channel, or for all, along axis 1. */
function channelValues(g: GraphBuilder, values: Float32Array, rank: number): Value {
  const dims = Array.from({ length: rank }, (_, axis) => (axis === 1 ? values.length : 1));
  return g.constant(values, 'float32', dims);
}
