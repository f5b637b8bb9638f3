/** Between a stack of feature maps and the latents: a vector through dense layers, or a map with places. */
import { z } from 'zod';
import { elementCount } from '../core/dtype.js';
import type { Value } from '../graph/builder.js';
import { type ActivationName, activate } from '../nn/activations.js';
import { convolve, withPlanes } from '../nn/convolution.js';
import { linear } from '../nn/layers.js';
import { flattenRows } from '../nn/reduce.js';
import type { Scope } from '../nn/scope.js';

export const bottleneckShape = {
  /**
   * `vector`: dense layers from the features to latentDim numbers. `map`: latentDim numbers for each
   * place of the last feature map; no dense layers.
   */
  latent: z.enum(['vector', 'map']).default('vector'),
  /** Width of a dense layer beside the latents, with `latent: "vector"`. Default: none. */
  hidden: z.int().positive().max(65536).optional(),
};

export interface BottleneckOptions {
  readonly latent: 'vector' | 'map';
  readonly hidden?: number | undefined;
  readonly activation: ActivationName;
}

export interface Bottleneck {
  readonly latentShape: readonly number[];
  /** Features [N, channels, ...size] to one value [N, ...latent] for each name. */
  inward(scope: Scope, features: Value, names: readonly string[], condition: Value | undefined): Value[];
  /** [N, ...latent] back to features, without an activation. */
  outward(scope: Scope, z: Value, condition: Value | undefined): Value;
}

/** @param features shape of one example's features, [channels, ...size]. */
export function bottleneck(
  { latent, hidden, activation }: BottleneckOptions,
  features: readonly number[],
  latentDim: number,
  conditionDim: number,
): Bottleneck {
  const [channels, ...size] = features as [number, ...number[]];
  if (latent === 'map') {
    return {
      latentShape: [latentDim, ...size],
      inward: (scope, x, names) => names.map((name) => convolve(scope.at(name), x, latentDim, { kernel: 1 })),
      outward: (scope, z, condition) =>
        convolve(scope.at('input'), withPlanes(scope, z, condition), channels, { kernel: 3 }),
    };
  }
  const count = elementCount(features);
  return {
    latentShape: [latentDim],
    inward: (scope, x, names) => {
      const { g } = scope;
      const flat = flattenRows(g, x);
      if (hidden === undefined) return names.map((name) => linear(scope.at(name), flat, count, latentDim));
      const top = activate(g, linear(scope.at('hidden'), flat, count, hidden), activation);
      return names.map((name) => linear(scope.at(name), top, hidden, latentDim));
    },
    outward: (scope, z, condition) => {
      const { g } = scope;
      const given = condition === undefined ? z : g.op('Concat', [z, condition], { axis: 1 });
      const width = latentDim + conditionDim;
      const flat =
        hidden === undefined
          ? linear(scope.at('input'), given, width, count)
          : linear(
              scope.at('input'),
              activate(g, linear(scope.at('hidden'), given, width, hidden), activation),
              hidden,
              count,
            );
      return g.op('Reshape', [flat, g.int64s([-1, ...features])]);
    },
  };
}
