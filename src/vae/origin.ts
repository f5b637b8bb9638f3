/** Where a Vae comes from, and what is known of it therefore. */
import type { ModelDescription } from '../artifacts/model-directory.js';
import type { ModelParts } from '../artifacts/model-io.js';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import type { Networks } from '../inference/networks.js';
import type { SavedModel } from '../inference/saved/saved-model.js';
import type { ImportedArchitecture, VaeInfo } from './info.js';

/** A model whose recipe is known, with its parameters or frozen in 8-bit integers; or files of someone else's making. */
export type Origin =
  | { readonly parts: ModelParts }
  /** Not read yet, but for what its summary says. */
  | { readonly saved: SavedModel }
  | { readonly frozen: ModelDescription }
  | { readonly imported: ImportedArchitecture; readonly quantized?: true };

/** What config.json says of the model, where it has one. */
export function descriptionOf(origin: Origin): ModelDescription | undefined {
  if ('parts' in origin) return origin.parts.description;
  if ('saved' in origin) return origin.saved.description;
  return 'frozen' in origin ? origin.frozen : undefined;
}

export function seedOf(origin: Origin): bigint {
  return BigInt(descriptionOf(origin)?.seed ?? 0n);
}

/** The same in 8-bit integers. */
export function quantizedOrigin(origin: Origin): Origin {
  if ('imported' in origin) return { ...origin, quantized: true };
  return { frozen: descriptionOf(origin)! };
}

/**
 * Recipe and parameters, for what only a model that has both can do.
 *
 * @throws VaeError ERR_VAE_OPTION for the others.
 */
export function recipeOf(origin: Exclude<Origin, { readonly saved: SavedModel }>, where: string): ModelParts {
  if ('frozen' in origin || ('imported' in origin && origin.quantized)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: this model's networks are in 8-bit integers, which cannot be trained; use the model it was quantized from.`,
    );
  }
  if ('parts' in origin) return origin.parts;
  const { encoder, decoder } = origin.imported;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `${where}: this model was imported from ${encoder} and ${decoder} to be run as it is; open the two files with ` +
      'Vae.fromOnnx() to train and save it.',
  );
}

export function describeOrigin(origin: Origin, networks: Networks): VaeInfo {
  if ('imported' in origin) {
    const { dataShape, latentShape } = networks;
    const open = latentShape.includes(-1);
    const size = elementCount(latentShape);
    return {
      architecture: origin.imported,
      input: { kind: 'tensor', shape: dataShape },
      latentDim: open ? latentShape[0]! : size,
      // Nobody knows what it was trained for; this is how it is scored.
      likelihood: { type: 'gaussian', variance: 1 },
      posterior: { type: 'gaussian' },
      prior: { type: 'standard' },
      objective: { type: 'elbo' },
      layers: [{ name: 'z', size: open ? -1 : size }],
      seed: 0n,
      parameterCount: 0,
      parameters: [],
      trainedEpochs: undefined,
      precision: origin.quantized ? 'int8' : networks.encoder.dtype,
    };
  }
  const description = descriptionOf(origin)!;
  const { architecture, input, latentDim, likelihood, posterior, prior, objective, condition } = description;
  const known = {
    architecture,
    input,
    latentDim,
    likelihood,
    posterior,
    prior,
    objective,
    ...(condition && { condition }),
    layers: networks.layers!,
    seed: BigInt(description.seed),
    parameterCount: description.parameterCount,
  };
  if ('frozen' in origin) return { ...known, parameters: [], trainedEpochs: undefined, precision: 'int8' };
  const { parameters, trainedEpochs } =
    'saved' in origin
      ? origin.saved.summary
      : {
          parameters: origin.parts.parameters.specs,
          trainedEpochs: origin.parts.training?.checkpoint.progress.epoch,
        };
  return {
    ...known,
    parameters: parameters.map(({ name, dims }) => ({ name, dims })),
    trainedEpochs,
    precision: networks.encoder.dtype,
  };
}
