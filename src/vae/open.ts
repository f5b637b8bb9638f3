/** The ways to come by a model: from options, from files of this package, from files of others. */
import type { z } from 'zod';
import { describeParameters } from '../architectures/graphs.js';
import { latentDimOf, makeVaeNetwork } from '../architectures/vae-network.js';
import { explained } from '../artifacts/foreign/recognise.js';
import { importOnnx } from '../artifacts/import-onnx.js';
import { initializeParameters } from '../artifacts/initialize.js';
import { locateModel } from '../artifacts/locate.js';
import { loadModel } from '../artifacts/model-io.js';
import { isOrtDirectory } from '../artifacts/onnxruntime/directory.js';
import { parseOptions } from '../core/options.js';
import { parseRecipe } from '../data/recipe.js';
import { Engine } from '../inference/engine.js';
import { type OnnxPair, openDiffusion, openPair } from '../inference/imported/open-imported.js';
import { runGraph } from '../inference/imported/run-graph.js';
import { loadQuantized } from '../inference/int8/quantized-model.js';
import { withDataScaling } from '../inference/networks.js';
import { recipeNetworks } from '../inference/recipe.js';
import {
  createSchema,
  type FromOnnxOptions,
  fromOnnxSchema,
  type LoadOptions,
  loadSchema,
  sourceSchema,
  type VaeOptions,
} from './options.js';
import type { Origin } from './origin.js';
import './resize.js';

/** What a Vae is made of. */
export interface OpenedModel {
  readonly origin: Origin;
  readonly engine: Engine;
}

/** See Vae.create(). */
export async function createModel(options: VaeOptions): Promise<OpenedModel> {
  return makeModel(parseOptions(createSchema, options, 'Vae.create()'));
}

/** As createModel(), of options that are checked and whole. */
export async function makeModel(options: z.output<typeof createSchema>): Promise<OpenedModel> {
  const { threads, provider, tiling, deterministic, seed, ...model } = options;
  const vae = makeVaeNetwork(model);
  const parameters = initializeParameters(describeParameters(vae), BigInt(seed));
  const latentDim = latentDimOf(model);
  const description = { ...model, latentDim, seed: String(seed), parameterCount: parameters.count };
  const engine = await Engine.open(recipeNetworks(vae, parameters), { threads, provider, tiling, deterministic });
  return { origin: { parts: { description, vae, parameters, training: undefined } }, engine };
}

/** See Vae.load(). */
export async function openModel(source: string | OnnxPair, options: LoadOptions): Promise<OpenedModel> {
  const setting = parseOptions(loadSchema, options, 'Vae.load()');
  const from = parseOptions(sourceSchema, source, 'Vae.load(), source');
  const files = typeof from === 'string' ? [from] : [from.encoder, from.decoder];
  return explained('Vae.load()', files, () => openSource(from, setting));
}

async function openSource(
  from: z.output<typeof sourceSchema>,
  { build, ...setting }: z.output<typeof loadSchema>,
): Promise<OpenedModel> {
  if (typeof from !== 'string') {
    const { encoder, decoder } = from;
    return { origin: { imported: { type: 'imported', encoder, decoder } }, engine: await openPair(from, setting) };
  }
  const found = await locateModel(from);
  if (found.kind === 'diffusion') {
    const { encoder, decoder } = found;
    return {
      origin: { imported: { type: 'imported', encoder, decoder } },
      engine: await openDiffusion(found, setting),
    };
  }
  const quantized = await loadQuantized(found.directory);
  if (quantized !== undefined) {
    const { description, networks } = quantized;
    return {
      origin: { frozen: description },
      engine: await Engine.open(withDataScaling(networks, description.data), setting),
    };
  }
  const parts = await loadModel(found.directory, build);
  if (parts.description.data !== undefined) parseRecipe(parts.description.data, `${found.directory}, "data"`);
  const networks = withDataScaling(recipeNetworks(parts.vae, parts.parameters), parts.description.data);
  return { origin: { parts }, engine: await Engine.open(networks, setting) };
}

/** See Vae.fromOnnx(). */
export async function importModel(options: FromOnnxOptions): Promise<OpenedModel> {
  const { threads, provider, tiling, deterministic, ...source } = parseOptions(
    fromOnnxSchema,
    options,
    'Vae.fromOnnx()',
  );
  const { artifacts } = source;
  // Of artifacts that are what they should be, the error itself says what is wrong with them.
  const isRight = artifacts !== undefined && (await isOrtDirectory(artifacts, source.checkpoint));
  const sources = sourcesOf(isRight ? { ...source, artifacts: undefined } : source);
  const parts = await explained('Vae.fromOnnx()', sources, () => importOnnx(source, runGraph));
  const engine = await Engine.open(recipeNetworks(parts.vae, parts.parameters), {
    threads,
    provider,
    tiling,
    deterministic,
  });
  return { origin: { parts }, engine };
}

/** What was named to be read, as far as it was. */
function sourcesOf({ encoder, decoder, artifacts }: { encoder?: unknown; decoder?: unknown; artifacts?: unknown }) {
  return [encoder, decoder, artifacts].filter(
    (source): source is string | Uint8Array => typeof source === 'string' || source instanceof Uint8Array,
  );
}
