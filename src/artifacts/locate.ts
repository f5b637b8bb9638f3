/** From what a user names to a model: a directory of ours, one of this package's models, or a diffusion model's autoencoder. */
import { type DiffusionFolder, findDiffusionFolder, hasDiffusionLayout } from './diffusion-layout.js';
import { findModel, isModelDirectory } from './model-source.js';

export type LocatedModel =
  | { readonly kind: 'directory'; readonly directory: string }
  | ({ readonly kind: 'diffusion' } & DiffusionFolder);

/** @throws VaeError ERR_VAE_IO where there is no model, ERR_VAE_FORMAT where half of one is missing. */
export async function locateModel(source: string): Promise<LocatedModel> {
  // Both kinds have a config.json, so the folders of the exporter decide.
  if ((await hasDiffusionLayout(source)) || !(await isModelDirectory(source))) {
    const found = await findDiffusionFolder(source);
    if (found !== undefined) return { kind: 'diffusion', ...found };
  }
  return { kind: 'directory', directory: await findModel(source) };
}
