/** Vae.load() of a directory that save() wrote: by its summary, without loading what makes models. */
import type { z } from 'zod';
import { locateModel } from '../artifacts/locate.js';
import { readConfigText } from '../artifacts/model-files.js';
import { Engine } from '../inference/engine.js';
import type { OnnxPair } from '../inference/imported/open-imported.js';
import { withDataScaling } from '../inference/networks.js';
import { openSaved } from '../inference/saved/saved-model.js';
import type { OpenedModel } from './open.js';
import type { LoadOptions, loadSchema } from './options.js';

type Setting = Pick<z.output<typeof loadSchema>, 'threads' | 'provider' | 'deterministic'>;

/** See Vae.load(). */
export async function loadModel(source: string | OnnxPair, options: LoadOptions): Promise<OpenedModel> {
  const setting = plainSetting(options);
  if (typeof source === 'string' && source !== '' && setting !== undefined) {
    const opened = await openBySummary(source, setting).catch(() => undefined);
    if (opened !== undefined) return opened;
  }
  // Whatever is wrong is found again there, and said.
  const { openModel } = await import('./open.js');
  return openModel(source, options);
}

/** What loadSchema makes of options as most programs give them; undefined for all others, right or wrong. */
export function plainSetting(options: unknown): Setting | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  const { threads = 0, provider = 'cpu', deterministic = false, ...others } = options as LoadOptions;
  if (Object.keys(others).length > 0 || provider !== 'cpu') return undefined;
  if (!Number.isInteger(threads) || threads < 0 || threads > 1024) return undefined;
  return typeof deterministic === 'boolean' ? { threads, provider, deterministic } : undefined;
}

async function openBySummary(source: string, setting: Setting): Promise<OpenedModel | undefined> {
  const found = await locateModel(source);
  if (found.kind !== 'directory') return undefined;
  const saved = await openSaved(found.directory, await readConfigText(found.directory));
  // resized() cannot wait for the recipe, which it needs of models whose latents have places.
  if (saved === undefined || saved.networks.downsampling !== undefined) return undefined;
  const networks = withDataScaling(saved.networks, saved.description.data);
  return { origin: { saved }, engine: await Engine.open(networks, setting) };
}
