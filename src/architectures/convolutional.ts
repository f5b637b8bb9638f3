/** Stacks of strided convolutions and their mirror, in any number of dimensions. */
import { z } from 'zod';
import { ACTIVATION_NAMES, activate } from '../nn/activations.js';
import { convolve, convolveBack, convolvedLength, withPlanes } from '../nn/convolution.js';
import { headShape, type NetworkContext, type NetworkDefinition } from './architecture.js';
import { bottleneck, bottleneckShape } from './bottleneck.js';

const SHAPES: Readonly<Record<number, string>> = {
  1: '{ kind: "sequence", length, channels }',
  2: '{ kind: "image", height, width, channels }',
  3: '{ kind: "video", frames, height, width, channels }',
};

/**
 * An entry of the table of architectures for data with `rank` axes besides the channels. The decoder
 * has the encoder's layers in reverse and gives data of any size, odd ones included.
 */
export function convolutional<const T extends string>(
  type: T,
  rank: number,
  defaults: { readonly channels: number[]; readonly kernel: number; readonly stride: number },
  source: string,
) {
  const schema = z.strictObject({
    type: z.literal(type),
    /** Channels of the encoder's layers; the decoder has them in reverse. */
    channels: z.array(z.int().positive().max(4096)).min(1).max(12).default(defaults.channels),
    kernel: z.int().min(1).max(63).default(defaults.kernel),
    /** How much smaller each layer makes its input. */
    stride: z.int().min(1).max(16).default(defaults.stride),
    activation: z.enum(ACTIVATION_NAMES).default('relu'),
    ...bottleneckShape,
  });

  /** Sizes of the data and of each layer's output. */
  const sizesOf = ({ channels, kernel, stride }: z.output<typeof schema>, dataShape: readonly number[]): number[][] => {
    const sizes = [dataShape.slice(1)];
    for (const _ of channels) {
      sizes.push(sizes.at(-1)!.map((length) => convolvedLength(length, { kernel, stride })));
    }
    return sizes;
  };

  const definition: NetworkDefinition<typeof schema> = {
    source,
    schema,
    refuse: (options, { dataShape }: NetworkContext) => {
      if (dataShape.length !== rank + 1) {
        return `it takes data of ${rank} axes and channels, input ${SHAPES[rank]}, and this data has shape [${dataShape.join(', ')}]`;
      }
      if (options.kernel < options.stride) {
        return `a kernel of ${options.kernel} would skip values at stride ${options.stride}`;
      }
      if (sizesOf(options, dataShape).some((size) => size.some((length) => length < 1))) {
        return `${options.channels.length} layers of stride ${options.stride} leave nothing of [${dataShape.slice(1).join(', ')}]; use fewer`;
      }
      return undefined;
    },
    build: (options, { dataShape, latentDim, heads, conditionDim }) => {
      const { channels, kernel, stride, activation } = options;
      const sizes = sizesOf(options, dataShape);
      const layer = { kernel, stride };
      const waist = bottleneck(options, [channels.at(-1)!, ...sizes.at(-1)!], latentDim, conditionDim);
      return {
        latentShape: waist.latentShape,
        encode(scope, x, names, condition) {
          const top = channels.reduce(
            (value, outputs, index) =>
              activate(scope.g, convolve(scope.at('conv').at(index), value, outputs, layer), activation),
            withPlanes(scope, x, condition),
          );
          return waist.inward(scope, top, names, condition);
        },
        decode(scope, z, condition) {
          const { g } = scope;
          let value = activate(g, waist.outward(scope, z, condition), activation);
          for (let index = channels.length - 1; index > 0; index -= 1) {
            const at = scope.at('conv').at(channels.length - 1 - index);
            value = activate(g, convolveBack(at, value, channels[index - 1]!, sizes[index]!, layer), activation);
          }
          return heads.map((head) => {
            const outputs = dataShape[0]! * head.perValue;
            const out = convolveBack(scope.at(head.name), value, outputs, sizes[0]!, layer);
            return head.perValue === 1 ? out : g.op('Reshape', [out, g.int64s([-1, ...headShape(head, dataShape)])]);
          });
        },
      };
    },
  };
  return definition;
}
