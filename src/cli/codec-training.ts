/** `train --codec`: settings that suit a codec, and the codec itself once the model is trained. */
import type { Dataset, Vae } from '../index.js';
import { CliError } from './errors.js';
import type { CommandResult } from './result.js';
import type { TrainSettings } from './settings.js';

/** Rows that the codec is measured on. */
const MEASURED_ROWS = 1000;

/** What models/ was trained with; used where the user says nothing else. */
export function codecSettings(learningRate = 0.003): TrainSettings {
  return {
    model: { likelihood: 'local-mixture', architecture: { type: 'mlp', hidden: [256] } },
    fit: {
      batchSize: 16,
      optimizer: { type: 'adam', learningRate },
      learningRate: { type: 'cosine', from: learningRate, to: learningRate / 100, warmUpSteps: 200 },
      clipGradientNorm: 300,
    },
  };
}

/** Latents of an `mlp` where nothing else is said; other architectures know their own number. */
export function withCodecLatents(settings: TrainSettings): TrainSettings {
  const { architecture, latentDim } = settings.model;
  const type = typeof architecture === 'string' ? architecture : (architecture as { type?: unknown } | undefined)?.type;
  if (latentDim !== undefined || type !== 'mlp') return settings;
  return { ...settings, model: { ...settings.model, latentDim: 16 } };
}

/** @throws CliError where the data is not bytes: better now than after hours of training. */
export function checkCodecData(data: Dataset): void {
  if (data.dtype === 'uint8') return;
  throw new CliError('ERR_VAE_DATA', `--codec: codecs are for 8-bit values, and this data is ${data.dtype}.`);
}

/** @throws CliError where the model cannot be a codec, for the same reason. */
export async function checkCodecModel({ info }: Vae): Promise<void> {
  const { codecObstacle } = await import('../index.js');
  const obstacle = codecObstacle(info as Parameters<typeof codecObstacle>[0]);
  if (obstacle !== undefined) {
    throw new CliError('ERR_VAE_OPTION', `--codec: a model of these options cannot be a codec: ${obstacle}.`);
  }
}

/** Writes codec.safetensors into the model directory and compares its rate with the model's own. */
export async function writeCodec(
  vae: Vae,
  directory: string,
  training: Dataset,
  heldOut: Dataset | undefined,
  signal: AbortSignal,
): Promise<CommandResult> {
  await using codec = await vae.toCodec(training, { signal });
  await codec.save(directory);
  const measured = (heldOut ?? training).take(MEASURED_ROWS);
  const items = (await measured.read(
    Array.from({ length: measured.length }, (_, index) => index),
    signal,
  )) as Uint8Array;
  const { elbo } = await vae.score(measured, { signal });
  const bytes = await codec.encode(items, { signal });
  const bitsPerDim = (bytes.length * 8) / items.length;
  const floatBitsPerDim = -elbo.reduce((sum, value) => sum + value, 0) / (Math.LN2 * items.length);
  const loss = bitsPerDim / floatBitsPerDim - 1;
  return {
    data: { codec: { identity: codec.identity, bitsPerDim, floatBitsPerDim, rows: measured.length } },
    rows: [
      ['Codec', `${codec.identity.slice(0, 16)}…, use it with compress -m ${directory}`],
      [
        'Rate',
        `${bitsPerDim.toFixed(4)} bits per value on ${measured.length} ${heldOut ? 'held-out' : 'training'} rows; ` +
          `${floatBitsPerDim.toFixed(4)} in floating point, ${(loss * 100).toFixed(2)}% lost to integers and coding`,
      ],
    ],
  };
}
