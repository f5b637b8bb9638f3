/** Whether data fits the model that is to learn it. */
import { BYTE_SCALE } from '../architectures/input.js';
import type { ModelParts } from '../artifacts/model-io.js';
import { VaeError } from '../core/errors.js';
import type { Dataset } from '../data/dataset.js';
import { type Domain, domainOf, firstOutside } from '../data/domain.js';
import { checkRowShape } from '../inference/rows/rows.js';

/** @throws VaeError ERR_VAE_SHAPE, ERR_VAE_DATA for data that does not fit the model. */
export function checkFitData(parts: ModelParts, train: Dataset, validation: Dataset | undefined): void {
  checkData(parts, train, 'fit()');
  if (validation !== undefined) checkData(parts, validation, 'fit(), validation');
}

function checkData({ vae }: ModelParts, data: Dataset, where: string): void {
  checkRowShape(data.rowShape, vae.dataShape, where);
  if (vae.condition !== undefined) checkLabels(data, vae.condition.classes, where);
  const domain = domainOf(vae.likelihood);
  const values = data.memory ?? data.indexed?.memory;
  // Rows that are read one by one are looked at as they come; see withDomain().
  if (values === undefined || domain.kind === 'real') return;
  const bad = firstOutside(values, domain, data.dtype === 'uint8' ? BYTE_SCALE : 1);
  if (bad >= 0) throw outside(values[bad]!, domain, data.dtype === 'uint8', where);
}

function outside(value: number, { kind, levels }: Domain, isBytes: boolean, where: string): VaeError {
  if (kind === 'levels' && (isBytes || (value >= 0 && value <= 1))) {
    const unit = isBytes ? `${255 / (levels! - 1)}` : `1/${levels! - 1}`;
    return new VaeError(
      'ERR_VAE_DATA',
      `${where}: this likelihood is defined on ${levels} levels, multiples of ${unit}, but the data holds ${value}. ` +
        'Round the data, or use a likelihood of continuous values.',
    );
  }
  return new VaeError(
    'ERR_VAE_DATA',
    `${where}: this likelihood is defined on values from 0 to 1, but the data holds ${value}. ` +
      'Scale the data, pass 8-bit values, or use the gaussian likelihood.',
  );
}

/** Rows that are not in memory, held to the likelihood's domain as they are read. */
export function withDomain({ vae }: ModelParts, data: Dataset, where: string): Dataset {
  const domain = domainOf(vae.likelihood);
  if (domain.kind === 'real' || data.memory || data.indexed) return data;
  const scale = data.dtype === 'uint8' ? BYTE_SCALE : 1;
  return data.watched((values) => {
    const bad = firstOutside(values, domain, scale);
    if (bad >= 0) throw outside(values[bad]!, domain, data.dtype === 'uint8', where);
  });
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

/** Rows that are looked at to tell the scale of data. */
const LOOKED_AT = 1024;
/** Root mean squares that likelihoods of any real number train on without more ado. */
const USUAL = [1e-3, 30] as const;

/** What to say of data whose scale is far from 1, which initial weights and learning rates are made for; undefined of other data. */
export async function scaleHint(
  { vae }: ModelParts,
  data: Dataset,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (vae.likelihood.domain !== 'real' || data.dtype === 'uint8') return undefined;
  const count = Math.min(LOOKED_AT, data.length);
  const step = Math.floor(data.length / count);
  const values = await data.read(
    Uint32Array.from({ length: count }, (_, index) => index * step),
    signal,
    0,
  );
  let squares = 0;
  let largest = 0;
  for (const value of values) {
    squares += value * value;
    largest = Math.max(largest, Math.abs(value));
  }
  const size = Math.sqrt(squares / values.length);
  if (size === 0 || (size >= USUAL[0] && size <= USUAL[1])) return undefined;
  const remedy =
    data.recipe === undefined
      ? 'standardise it: standardise: true (--standardise), which the model keeps and undoes in what it gives.'
      : 'scale its files first.';
  return `The data is far from the scale of 1 that training expects: values up to ${largest.toPrecision(3)}, ${size.toPrecision(3)} as root mean square; ${remedy}`;
}
