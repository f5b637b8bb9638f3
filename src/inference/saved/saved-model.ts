/** A model as its directory holds it, opened by its summary: files stay as they are until something needs their parts. */
import type { ModelConfig } from '../../artifacts/config.js';
import type { ModelDescription } from '../../artifacts/model-directory.js';
import { DECODER_FILE, ENCODER_FILE, PRIOR_FILE, readModelFile, SUMMARY_FILE } from '../../artifacts/model-files.js';
import type { ModelParts } from '../../artifacts/model-io.js';
import type { SessionOptions } from '../../binding/addon.js';
import type { Networks, SessionKind } from '../networks.js';
import { GraphSession, withDomain } from '../sessions/session.js';
import { ports } from './networks-config.js';
import { descriptionIn, type ModelSummary, parameterIn, readSummary } from './summary.js';

const FILES: Readonly<Partial<Record<SessionKind, string>>> = {
  encoder: ENCODER_FILE,
  decoder: DECODER_FILE,
  prior: PRIOR_FILE,
};

/** Training graphs that nothing but other tools reads. */
const UNREAD = new Set(['training/eval_model.onnx', 'training/optimizer_model.onnx']);

/**
 * @param text of config.json.
 * @returns undefined for what has no summary that goes with it: it is to be opened by its recipe.
 * @throws VaeError ERR_VAE_FORMAT where a file is missing, truncated or altered.
 */
export async function openSaved(directory: string, text: string): Promise<SavedModel | undefined> {
  const config = plausible(text);
  if (config?.files?.[SUMMARY_FILE] === undefined) return undefined;
  const description = descriptionIn(config);
  const summary = readSummary(
    Buffer.from(await readModelFile(directory, config, SUMMARY_FILE)).toString(),
    description,
  );
  if (summary === undefined) return undefined;
  const names = Object.keys(config.files).filter((name) => name !== SUMMARY_FILE && !UNREAD.has(name));
  const files = await Promise.all(
    names.map(async (name) => [name, await readModelFile(directory, config, name)] as const),
  );
  return new SavedModel(directory, config, summary, new Map(files));
}

/** What cannot be right is for those to say who read it in full. */
function plausible(text: string): ModelConfig | undefined {
  try {
    const config = JSON.parse(text) as ModelConfig;
    return config?.format === 'node-vae.model' && config.version === 1 ? config : undefined;
  } catch {
    return undefined;
  }
}

export class SavedModel {
  readonly description: ModelDescription;
  readonly summary: ModelSummary;
  readonly networks: Networks;
  readonly #directory: string;
  readonly #config: ModelConfig;
  readonly #files: ReadonlyMap<string, Uint8Array>;
  #parts: Promise<ModelParts> | undefined;
  #full: Promise<Networks> | undefined;

  constructor(directory: string, config: ModelConfig, summary: ModelSummary, files: ReadonlyMap<string, Uint8Array>) {
    this.description = descriptionIn(config);
    this.summary = summary;
    this.#directory = directory;
    this.#config = config;
    this.#files = files;
    const { hasVariance, ...known } = summary.networks;
    this.networks = {
      ...known,
      ...ports(hasVariance),
      downsampling: known.downsampling,
      domain: summary.domain,
      classes: this.description.condition?.classes,
      graph: async (kind) => (await this.#fullNetworks()).graph(kind),
      open: (kind, options) => this.#open(kind, options),
    };
  }

  /** Recipe, parameters and where training stands, read when first asked for. */
  parts(): Promise<ModelParts> {
    this.#parts ??= this.#readParts();
    return this.#parts;
  }

  /** A copy of one parameter's values. */
  parameter(name: string): Float32Array | undefined {
    return parameterIn(this.#files, name);
  }

  async #readParts(): Promise<ModelParts> {
    const { readParts } = await import('../../artifacts/model-io.js');
    return readParts(this.#directory, this.#config, (name) => this.#files.get(name)!);
  }

  #fullNetworks(): Promise<Networks> {
    this.#full ??= (async () => {
      const { recipeNetworks } = await import('../recipe.js');
      const { vae, parameters } = await this.parts();
      return recipeNetworks(vae, parameters);
    })();
    return this.#full;
  }

  async #open(kind: SessionKind, options: SessionOptions): Promise<GraphSession> {
    const file = this.#files.get(FILES[kind] ?? '');
    if (file === undefined) return (await this.#fullNetworks()).open(kind, options);
    return GraphSession.open(file, `Vae's ${kind}`, withDomain(kind, this.summary.domain, options));
  }
}
