/** The table of operations on rows. */
import { createHash } from 'node:crypto';
import type { Tensor } from 'onnxruntime-common';
import type { ColumnData } from '../spool.js';
import { drawLatents } from './draw.js';
import { callOf, type RowOperation, withLabels } from './operation.js';

function column(name: string, { data, dims }: Pick<Tensor, 'data' | 'dims'>): ColumnData {
  return { name, dims: dims.slice(1), data: data as Float32Array };
}

const encode: RowOperation = {
  takesLatents: false,
  async run(vae, call, settings) {
    if (settings.draw) {
      const { data, dims } = await drawLatents(vae, call, settings);
      return [{ name: 'z', dims: dims.slice(1), data }];
    }
    const { mean, logVariance } = await vae.encode(withLabels(call, settings), callOf(call));
    return [column('mean', mean), ...(settings.logVariance ? [column('log_variance', logVariance)] : [])];
  },
};

const decode: RowOperation = {
  takesLatents: true,
  async run(vae, call, settings) {
    return [column('output', await vae.decode(withLabels(call, settings) as never, callOf(call)))];
  },
};

const reconstruct: RowOperation = {
  takesLatents: false,
  async run(vae, call, settings) {
    if (!settings.draw) return [column('output', await vae.reconstruct(withLabels(call, settings), callOf(call)))];
    const { data, dims } = await drawLatents(vae, call, settings);
    const labels = settings.label ?? call.labels;
    const latents = { data, shape: dims, ...(labels !== undefined && { labels }) };
    return [column('output', await vae.decode(latents as never, callOf(call)))];
  },
};

const score: RowOperation = {
  takesLatents: false,
  async run(vae, call, settings) {
    // score() numbers the draws of one call from 0: a seed for each place in the job keeps them apart.
    const digest = createHash('sha256')
      .update(`${settings.seed ?? 0}/${call.draw}`)
      .digest();
    const { importanceSamples } = settings;
    const scores = await vae.score(withLabels(call, settings), {
      ...callOf(call),
      seed: digest.readUIntBE(0, 6),
      ...(importanceSamples !== undefined && { importanceSamples }),
    });
    const one = (name: string, data: Float32Array): ColumnData => ({ name, dims: [], data });
    return [
      one('elbo', scores.elbo),
      one('reconstruction', scores.reconstruction),
      one('kl', scores.kl),
      ...(scores.importanceWeighted ? [one('importance_weighted', scores.importanceWeighted)] : []),
    ];
  },
};

export const ROW_OPERATIONS = { encode, decode, reconstruct, score } as const satisfies Record<string, RowOperation>;
