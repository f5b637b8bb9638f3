/**
 * The folder that Hugging Face's exporter writes for the autoencoder of a diffusion model:
 * vae_encoder/model.onnx, vae_decoder/model.onnx and config.json (of diffusers' AutoencoderKL and its kin).
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { describeIssue } from '../core/options.js';

const ENCODER = 'vae_encoder';
const DECODER = 'vae_decoder';
const MODEL = 'model.onnx';
const CONFIG = 'config.json';

const perChannel = z.array(z.number()).min(1).nullish();

/** What decode(encode(x)) depends on; all else in the config describes how the graphs were made. */
const configSchema = z.looseObject({
  scaling_factor: z
    .number()
    .refine((value) => value !== 0, 'expected a number other than 0')
    .nullish(),
  shift_factor: z.number().nullish(),
  latents_mean: perChannel,
  latents_std: perChannel,
  latent_channels: z.int().positive().nullish(),
  force_upcast: z.boolean().nullish(),
  sample_size: z.union([z.int().positive(), z.array(z.int().positive())]).nullish(),
});

export type DiffusionConfig = z.output<typeof configSchema>;

export interface DiffusionFolder {
  /** The folder that holds vae_encoder and vae_decoder. */
  readonly folder: string;
  readonly encoder: string;
  readonly decoder: string;
  readonly config: DiffusionConfig;
}

/**
 * Finds the layout at a folder, in a folder one level below it, or around one of its two halves.
 *
 * @returns undefined where there is none.
 * @throws VaeError ERR_VAE_FORMAT where half of it is missing or its config is not valid; ERR_VAE_IO.
 */
export async function findDiffusionFolder(source: string): Promise<DiffusionFolder | undefined> {
  for (const folder of await candidates(source)) {
    const encoder = join(folder, ENCODER, MODEL);
    const decoder = join(folder, DECODER, MODEL);
    const [hasEncoder, hasDecoder] = await Promise.all([isFile(encoder), isFile(decoder)]);
    if (!hasEncoder && !hasDecoder) continue;
    if (!hasEncoder || !hasDecoder) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${folder} holds ${hasEncoder ? encoder : decoder} but not ${hasEncoder ? decoder : encoder}: copy the whole export.`,
      );
    }
    return { folder, encoder, decoder, config: await readDiffusionConfig(folder) };
  }
  return undefined;
}

/** Whether the folder itself is laid out so, or is one half of it. */
export async function hasDiffusionLayout(source: string): Promise<boolean> {
  if ([ENCODER, DECODER].includes(basename(source))) return true;
  const found = await Promise.all([ENCODER, DECODER].map((half) => isFile(join(source, half, MODEL))));
  return found.includes(true);
}

async function candidates(source: string): Promise<string[]> {
  if ([ENCODER, DECODER].includes(basename(source))) return [dirname(source)];
  const entries = await readdir(source, { withFileTypes: true }).catch(() => []);
  return [source, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(source, name))];
}

async function readDiffusionConfig(folder: string): Promise<DiffusionConfig> {
  const places = [folder, join(folder, ENCODER), join(folder, DECODER), join(folder, 'vae')];
  for (const place of places) {
    const path = join(place, CONFIG);
    if (await isFile(path)) return parseDiffusionConfig(await readText(path), path);
  }
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${join(folder, CONFIG)} is missing: without the autoencoder's scaling_factor its latents cannot be scaled. ` +
      'Copy it from the model the graphs were exported from, or load the two files as a pair: Vae.load({ encoder, decoder }).',
  );
}

function parseDiffusionConfig(text: string, path: string): DiffusionConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${path} is not JSON: the file is truncated or damaged.`, { cause });
  }
  const result = configSchema.safeParse(value);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => describeIssue(issue, value)).join('; ');
    throw new VaeError('ERR_VAE_FORMAT', `${path} is not valid: ${problems}.`);
  }
  const { latents_mean: mean, latents_std: std, latent_channels: channels } = result.data;
  for (const [name, values] of [['latents_mean', mean] as const, ['latents_std', std] as const]) {
    if (values && channels && values.length !== channels) {
      throw new VaeError(
        'ERR_VAE_FORMAT',
        `${path}: ${name} has ${values.length} values for ${channels} latent channels.`,
      );
    }
  }
  if (std?.some((value) => value <= 0)) {
    throw new VaeError('ERR_VAE_FORMAT', `${path}: latents_std holds ${Math.min(...std)}; every one is above 0.`);
  }
  return result.data;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw ioError(error, `opening the model: reading ${path}`);
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
