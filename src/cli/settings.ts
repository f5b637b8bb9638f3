/** Options of create() and fit() from a file, from flags and from --set, later ones winning. */
import { readFile } from 'node:fs/promises';
import { CliError } from './errors.js';
import type { Setting } from './parse.js';

/** What a training run is given: options of `Vae.create()` and of `fit()`. */
export interface TrainSettings {
  readonly model: Readonly<Record<string, unknown>>;
  readonly fit: Readonly<Record<string, unknown>>;
}

const SECTIONS = ['model', 'fit'] as const;

/** @throws CliError ERR_VAE_IO or ERR_VAE_OPTION for a file that is missing or is not such an object. */
export async function readSettings(path: string): Promise<TrainSettings> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError('ERR_VAE_IO', `Failed reading ${path}: ${(error as Error).message}.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError('ERR_VAE_OPTION', `${path}: not valid JSON: ${(error as Error).message}.`);
  }
  if (!isRecord(value)) throw new CliError('ERR_VAE_OPTION', `${path}: expected an object with "model" and "fit".`);
  const { $schema: _, ...sections } = value;
  for (const [key, section] of Object.entries(sections)) {
    if (!SECTIONS.includes(key as 'model') || !isRecord(section)) {
      throw new CliError(
        'ERR_VAE_OPTION',
        `${path}: expected { "model": {…}, "fit": {…} }, received the key "${key}".`,
      );
    }
  }
  return { model: {}, fit: {}, ...sections };
}

/** Flags win over the file; what a flag leaves undefined it does not touch. */
export function mergeSettings(base: TrainSettings, flags: TrainSettings): TrainSettings {
  const defined = (section: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined));
  return { model: { ...base.model, ...defined(flags.model) }, fit: { ...base.fit, ...defined(flags.fit) } };
}

/**
 * Sets single values by their path, such as `model.architecture.hidden` or `fit.emaDecay`. A name that
 * stands where an object is needed becomes its `type`.
 *
 * @throws CliError ERR_VAE_OPTION for paths that begin otherwise.
 */
export function applySettings(base: TrainSettings, settings: readonly Setting[]): TrainSettings {
  const result = structuredClone(base) as unknown as Record<string, unknown>;
  for (const { path, value } of settings) {
    if (
      path.length < 2 ||
      !SECTIONS.includes(path[0] as 'model') ||
      path.some((key) => key === '' || key === '__proto__')
    ) {
      throw new CliError(
        'ERR_VAE_OPTION',
        `--set ${path.join('.')}: expected a name that begins with "model." or "fit.", such as model.latentDim or fit.emaDecay.`,
      );
    }
    let object = result;
    for (const key of path.slice(0, -1)) {
      const inner = Object.hasOwn(object, key) ? object[key] : undefined;
      object[key] = isRecord(inner) ? inner : typeof inner === 'string' ? { type: inner } : {};
      object = object[key] as Record<string, unknown>;
    }
    object[path[path.length - 1]!] = value;
  }
  return result as unknown as TrainSettings;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
