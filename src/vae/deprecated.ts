/** Verbs by the names they had as functions. */
import type { Tensor } from 'onnxruntime-common';
import type { TensorLike } from '../core/tensor.js';
import type { Dataset } from '../data/dataset.js';
import type { Figure } from '../report/figure.js';
import type { ExportReport } from './export.js';
import type { EncodedPicture, WholePictureOptions } from './picture-options.js';
import type { Vae } from './vae.js';
import type { ExportOptions } from './verbs/export.js';
import type { PlotOptions } from './verbs/plot.js';

/** @deprecated Use `vae.encodePicture(path)`. */
export function encodePicture(vae: Vae, path: string, options: WholePictureOptions = {}): Promise<EncodedPicture> {
  return vae.encodePicture(path, options);
}

/** @deprecated Use `vae.decodePicture(latents)`. */
export function decodePicture(vae: Vae, latents: TensorLike, options: WholePictureOptions = {}): Promise<Tensor> {
  return vae.decodePicture(latents, options);
}

/** @deprecated Use `vae.export(directory)`. */
export function exportModel(vae: Vae, directory: string, options: ExportOptions = {}): Promise<ExportReport> {
  return vae.export(directory, options);
}

/** @deprecated Use `vae.plot(data)`. */
export function plotModel(vae: Vae, data: Dataset, options: PlotOptions = {}): Promise<Figure[]> {
  return vae.plot(data, options);
}
