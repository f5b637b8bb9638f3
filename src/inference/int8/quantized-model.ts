/** Models in 8-bit integers as directories: their graphs, and what those take and give. */
import type { QuantizedConfig } from '../../artifacts/config.js';
import { type ModelDescription, readConfig, writeModelDirectory } from '../../artifacts/model-directory.js';
import {
  DECODER_FILE,
  ENCODER_FILE,
  OBJECTIVE_FILE,
  POSTERIOR_FILE,
  PRIOR_FILE,
  readModelFile,
} from '../../artifacts/model-files.js';
import { VaeError } from '../../core/errors.js';
import { domainOf } from '../../data/domain.js';
import { type Model, readModel, writeModel } from '../../graph/index.js';
import { makeLikelihood } from '../../nn/likelihoods/index.js';
import type { Networks, SessionKind } from '../networks.js';
import { networksConfig, ports } from '../saved/networks-config.js';
import { GraphSession, withDomain } from '../sessions/session.js';

const FILES = {
  encoder: ENCODER_FILE,
  decoder: DECODER_FILE,
  objective: OBJECTIVE_FILE,
  prior: PRIOR_FILE,
  posterior: POSTERIOR_FILE,
} as const;

type SavedKind = keyof typeof FILES;

/** Which graphs a model of this kind has. */
function kindsOf({ priorNoise, posteriorGraph }: Pick<QuantizedConfig, 'priorNoise' | 'posteriorGraph'>): SavedKind[] {
  return [
    'encoder',
    'decoder',
    'objective',
    ...(priorNoise === undefined ? [] : (['prior'] as const)),
    ...(posteriorGraph ? (['posterior'] as const) : []),
  ];
}

/** @throws VaeError ERR_VAE_IO where the directory cannot be written. */
export async function saveQuantized(
  directory: string,
  description: ModelDescription,
  networks: Networks,
): Promise<void> {
  const quantized = networksConfig(networks);
  const files = await Promise.all(
    kindsOf(quantized).map(async (kind) => ({
      name: FILES[kind],
      chunks: [writeModel(await networks.graph(kind))],
    })),
  );
  await writeModelDirectory(directory, { ...description, quantized }, files);
}

/**
 * Opens what saveQuantized() wrote.
 *
 * @returns undefined for a directory of another model.
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT where it is not a whole model.
 */
export async function loadQuantized(
  directory: string,
): Promise<{ readonly description: ModelDescription; readonly networks: Networks } | undefined> {
  const config = await readConfig(directory);
  const { format: _format, version: _version, files: _files, quantized, ...description } = config;
  if (quantized === undefined) return undefined;
  const graphs = new Map<SessionKind, Model>();
  for (const kind of kindsOf(quantized)) {
    graphs.set(kind, await readModel(await readModelFile(directory, config, FILES[kind])));
  }
  return { description, networks: quantizedNetworks(quantized, description, graphs) };
}

function quantizedNetworks(
  { hasVariance, ...quantized }: QuantizedConfig,
  { condition, likelihood }: ModelDescription,
  graphs: ReadonlyMap<SessionKind, Model>,
): Networks {
  const graph = (kind: SessionKind): Model => {
    const found = graphs.get(kind);
    if (found !== undefined) return found;
    throw new VaeError(
      'ERR_VAE_OPTION',
      'This model was saved in 8-bit integers, without the graphs of importanceSamples; score it without, or use the ' +
        'model it was quantized from.',
    );
  };
  const domain = domainOf(makeLikelihood(likelihood));
  return {
    ...quantized,
    downsampling: quantized.downsampling,
    ...ports(hasVariance),
    domain,
    classes: condition?.classes,
    graph: async (kind) => graph(kind),
    open: async (kind, options) =>
      GraphSession.open(writeModel(graph(kind)), `Vae's ${kind}`, withDomain(kind, domain, options)),
  };
}
