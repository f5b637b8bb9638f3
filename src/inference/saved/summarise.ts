/** Writes the summary of a model that summary.ts reads. */
import { type ModelFile, SUMMARY_FILE } from '../../artifacts/model-files.js';
import type { ModelParts } from '../../artifacts/model-io.js';
import { recipeNetworks } from '../recipe.js';
import { networksConfig } from './networks-config.js';
import { digest, type ModelSummary, parameterIn, SUMMARY_VERSION } from './summary.js';

/**
 * Makes the summary as a file, of a directory's files for inference; none of models whose files do not say all: built by
 * a function of the user's, or imported.
 *
 * @param trainedEpochs where training artifacts are written too.
 */
export function summarised(
  { description, vae, parameters }: ModelParts,
  trainedEpochs?: number,
): (files: readonly ModelFile[]) => ModelFile[] {
  return (files) => {
    if (description.architecture.type === 'custom' || vae.imported !== undefined) return [];
    const bytes = new Map(files.map(({ name, chunks }) => [name, Buffer.concat(chunks)]));
    if (!parameters.specs.every(({ name }) => parameterIn(bytes, name) !== undefined)) return [];
    const networks = recipeNetworks(vae, parameters);
    const summary: ModelSummary = {
      version: SUMMARY_VERSION,
      description: digest(description),
      networks: networksConfig(networks),
      domain: networks.domain!,
      parameters: parameters.specs.map(({ name, dims }) => ({ name, dims: [...dims] })),
      ...(trainedEpochs !== undefined && { trainedEpochs }),
    };
    return [{ name: SUMMARY_FILE, chunks: [Buffer.from(`${JSON.stringify(summary)}\n`)] }];
  };
}
