/**
 * summary.json of a model directory: what is known of the model before anything runs. With it a model opens without its
 * recipe: no schema is made, no graph read, no code of architectures loaded before something needs them.
 */
import { createHash } from 'node:crypto';
import type { ModelConfig, QuantizedConfig as NetworksConfig } from '../../artifacts/config.js';
import type { ModelDescription } from '../../artifacts/model-directory.js';
import { DECODER_FILE, ENCODER_FILE, EXTRA_PARAMETERS_FILE } from '../../artifacts/model-files.js';
import { decodeSafeTensors, float32Elements } from '../../artifacts/safetensors.js';
import type { Domain } from '../../data/domain.js';
import { float32Of } from '../../graph/constants.js';
import { skimGraph } from '../../graph/proto/skim.js';

export const SUMMARY_VERSION = 1;

export interface ModelSummary {
  readonly version: typeof SUMMARY_VERSION;
  /** SHA-256 of what config.json says of the model: that it was checked when it was written, and is the same still. */
  readonly description: string;
  readonly networks: NetworksConfig;
  readonly domain: Domain;
  readonly parameters: readonly { readonly name: string; readonly dims: readonly number[] }[];
  readonly trainedEpochs?: number | undefined;
}

/**
 * @param text of summary.json, whose checksum was right.
 * @returns undefined where it is of another version, or config.json says something else.
 */
export function readSummary(text: string, description: ModelDescription): ModelSummary | undefined {
  const summary = JSON.parse(text) as ModelSummary;
  return summary.version === SUMMARY_VERSION && summary.description === digest(description) ? summary : undefined;
}

/** What config.json says of the model itself. */
export function descriptionIn({ format: _, version: __, files: ___, ...description }: ModelConfig): ModelDescription {
  return description;
}

/** A copy of a parameter's values as the files for inference hold it, where a quick look finds it. */
export function parameterIn(files: ReadonlyMap<string, Uint8Array>, name: string): Float32Array | undefined {
  for (const file of [ENCODER_FILE, DECODER_FILE]) {
    const constant = skimGraph(files.get(file)!)?.initializers.get(name);
    if (constant !== undefined) return float32Of(constant).slice();
  }
  const extra = files.get(EXTRA_PARAMETERS_FILE);
  const tensor = extra && decodeSafeTensors(extra, EXTRA_PARAMETERS_FILE).tensors.get(name);
  return tensor && float32Elements(tensor, EXTRA_PARAMETERS_FILE).slice();
}

export function digest(description: ModelDescription): string {
  return createHash('sha256').update(JSON.stringify(description)).digest('hex');
}
