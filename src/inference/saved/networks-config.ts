/** What is known of networks before anything runs, as files hold it. */
import type { QuantizedConfig as NetworksConfig } from '../../artifacts/config.js';
import type { Networks } from '../networks.js';
import { FRACTIONS } from '../rows/rows.js';

/** Of networks that were made from a recipe. */
export function networksConfig(networks: Networks): NetworksConfig {
  const { dataShape, latentShape, downsampling, widest, priorNoise, posteriorGraph = false, encoder } = networks;
  return {
    dataShape: [...dataShape],
    latentShape: [...latentShape],
    ...(downsampling !== undefined && { downsampling }),
    ...(widest !== undefined && { widest }),
    layers: networks.layers!.map(({ name, size }) => ({ name, size })),
    hasVariance: encoder.posterior.kind === 'pair',
    ...(priorNoise && { priorNoise: priorNoise.map(({ name, kind, dims }) => ({ name, kind, dims: [...dims] })) }),
    posteriorGraph,
  };
}

type Ports = Pick<
  Networks,
  'tileSize' | 'encoder' | 'decoder' | 'scaling' | 'bytes' | 'logVarianceRange' | 'hasObjective'
>;

/** What the graphs of all such networks take and give: names as architectures/graphs.ts has them. */
export function ports(hasVariance: boolean): Ports {
  return {
    tileSize: undefined,
    encoder: {
      input: 'input',
      dtype: 'float32',
      posterior: hasVariance
        ? { kind: 'pair', mean: 'mean', logVariance: 'log_variance' }
        : { kind: 'point', name: 'mean' },
      batch: undefined,
    },
    decoder: { input: 'latent', output: 'output', dtype: 'float32', batch: undefined },
    scaling: undefined,
    bytes: FRACTIONS,
    logVarianceRange: undefined,
    hasObjective: true,
  };
}
