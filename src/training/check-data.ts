/** Whether data fits the model that is to learn it. */
import { BYTE_SCALE } from '../architectures/input.js';
import type { ModelParts } from '../artifacts/model-io.js';
import { VaeError } from '../core/errors.js';
import type { Dataset } from '../data/dataset.js';
import { checkRowShape } from '../inference/rows/rows.js';

/** @throws VaeError ERR_VAE_SHAPE, ERR_VAE_DATA for data that does not fit the model. */
export function checkFitData(parts: ModelParts, train: Dataset, validation: Dataset | undefined): void {
  checkData(parts, train, 'fit()');
  if (validation !== undefined) checkData(parts, validation, 'fit(), validation');
}

function checkData({ vae }: ModelParts, data: Dataset, where: string): void {
  checkRowShape(data.rowShape, vae.dataShape, where);
  if (vae.condition !== undefined) checkLabels(data, vae.condition.classes, where);
  const { domain, levels } = vae.likelihood;
  if (domain === 'levels') checkLevels(data, levels!, where);
  if (domain === 'real' || data.dtype === 'uint8') return;
  const values = data.memory ?? data.indexed?.memory;
  const outside = values?.findIndex((value: number) => !(value >= 0 && value <= 1)) ?? -1;
  if (outside < 0) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: this likelihood is defined on values from 0 to 1, but the data holds ${values![outside]}. ` +
      'Scale the data, pass 8-bit values, or use the gaussian likelihood.',
  );
}

/** Of rows in memory; others are rounded as they come. */
function checkLevels(data: Dataset, levels: number, where: string): void {
  const scale = (levels - 1) * (data.dtype === 'uint8' ? BYTE_SCALE : 1);
  const values = data.memory ?? data.indexed?.memory;
  const bad = values?.findIndex((value: number) => Math.abs(value * scale - Math.round(value * scale)) > 1e-3) ?? -1;
  if (bad < 0) return;
  const unit = data.dtype === 'uint8' ? `${255 / (levels - 1)}` : `1/${levels - 1}`;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: this likelihood is defined on ${levels} levels, multiples of ${unit}, but the data holds ${values![bad]}. ` +
      'Round the data, or use a likelihood of continuous values.',
  );
}

function checkLabels({ labels }: Dataset, classes: number, where: string): void {
  if (labels === undefined) {
    throw new VaeError('ERR_VAE_DATA', `${where}: this model is conditional and needs labels, and the data has none.`);
  }
  const bad = labels.values.findIndex((label) => label < 0 || label >= classes);
  if (bad < 0) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: the label of row ${bad} is ${labels.values[bad]}; this model knows classes 0 to ${classes - 1}.`,
  );
}
