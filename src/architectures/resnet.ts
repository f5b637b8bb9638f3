import { z } from 'zod';
import type { Value } from '../graph/builder.js';
import { ACTIVATION_NAMES, activate } from '../nn/activations.js';
import { channelsOf, convolve, groupNorm, upsample, withPlanes } from '../nn/convolution.js';
import type { Scope } from '../nn/scope.js';
import { defineArchitecture, headShape } from './architecture.js';
import { bottleneck, bottleneckShape } from './bottleneck.js';

/**
 * Residual blocks of normalisation, activation and convolution, in stages of falling size. Stages are
 * joined by strided convolutions on the way in, by doubling and a convolution on the way out.
 */
export const resnet = defineArchitecture({
  source:
    'He et al., Identity Mappings in Deep Residual Networks, ECCV 2016; Wu and He, Group Normalization, ECCV 2018; Elfwing et al. 2018 for SiLU',
  schema: z.strictObject({
    type: z.literal('resnet'),
    /** Channels of each stage; from stage to stage the size halves. */
    channels: z.array(z.int().positive().max(4096)).min(1).max(8).default([32, 64, 64]),
    /** Residual blocks in each stage. */
    blocks: z.int().positive().max(64).default(1),
    /** Groups of each normalisation; divides every stage's channels. */
    groups: z.int().positive().max(1024).default(8),
    activation: z.enum(ACTIVATION_NAMES).default('silu'),
    ...bottleneckShape,
  }),
  refuse: ({ channels, groups }, { dataShape }) => {
    if (dataShape.length !== 3) {
      return `it takes images, input { kind: "image", height, width, channels }, and this data has shape [${dataShape.join(', ')}]`;
    }
    const uneven = channels.find((count) => count % groups !== 0);
    if (uneven !== undefined) return `${uneven} channels cannot be divided into ${groups} groups`;
    const halvings = channels.length - 1;
    if (dataShape.slice(1).some((length) => length % 2 ** halvings !== 0)) {
      return `height and width must be multiples of ${2 ** halvings} for ${channels.length} stages, and they are ${dataShape.slice(1).join(' and ')}`;
    }
    return undefined;
  },
  build: (options, { dataShape, latentDim, heads, conditionDim }) => {
    const { channels, blocks, groups, activation } = options;
    const last = channels.length - 1;
    const waist = bottleneck(
      options,
      [channels[last]!, ...dataShape.slice(1).map((length) => length / 2 ** last)],
      latentDim,
      conditionDim,
    );

    const normalised = (scope: Scope, x: Value): Value =>
      activate(scope.g, groupNorm(scope.at('norm'), x, groups), activation);
    const residual = (scope: Scope, x: Value, outputs: number): Value => {
      const first = convolve(scope.at(0), normalised(scope.at(0), x), outputs, { kernel: 3 });
      const second = convolve(scope.at(1), normalised(scope.at(1), first), outputs, { kernel: 3 });
      const skip = channelsOf(x) === outputs ? x : convolve(scope.at('skip'), x, outputs, { kernel: 1 });
      return scope.g.op('Add', [skip, second]);
    };
    const stage = (scope: Scope, x: Value, outputs: number): Value => {
      let value = x;
      for (let block = 0; block < blocks; block += 1) value = residual(scope.at('block').at(block), value, outputs);
      return value;
    };

    return {
      latentShape: waist.latentShape,
      encode(scope, x, names, condition) {
        let value = convolve(scope.at('stem'), withPlanes(scope, x, condition), channels[0]!, { kernel: 3 });
        channels.forEach((outputs, index) => {
          const at = scope.at('stage').at(index);
          if (index > 0) value = convolve(at.at('down'), value, channelsOf(value), { kernel: 3, stride: 2 });
          value = stage(at, value, outputs);
        });
        return waist.inward(scope, normalised(scope.at('top'), value), names, condition);
      },
      decode(scope, z, condition) {
        const { g } = scope;
        let value = waist.outward(scope, z, condition);
        for (let index = last; index >= 0; index -= 1) {
          const at = scope.at('stage').at(last - index);
          if (index < last) value = convolve(at.at('up'), upsample(at, value), channelsOf(value), { kernel: 3 });
          value = stage(at, value, channels[index]!);
        }
        const top = normalised(scope.at('top'), value);
        return heads.map((head) => {
          const out = convolve(scope.at(head.name), top, dataShape[0]! * head.perValue, { kernel: 3 });
          return head.perValue === 1 ? out : g.op('Reshape', [out, g.int64s([-1, ...headShape(head, dataShape)])]);
        });
      },
    };
  },
});
