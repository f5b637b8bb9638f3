/** The Vae class: how one is come by, what it is, and how it ends. What it does is in verbs/, hung on it in index.ts. */
import { VaeError } from '../core/errors.js';
import type { DataRecipe } from '../data/recipe.js';
import type { OnnxPair } from '../inference/imported/open-imported.js';
import { NO_OPTIONS } from './call-options.js';
import type { VaeInfo } from './info.js';
import type { OpenedModel } from './open.js';
import type { FromOnnxOptions, LoadOptions, VaeOptions } from './options.js';
import { describeOrigin, descriptionOf, recipeOf } from './origin.js';
import { VaeState } from './state.js';

/** @internal What the verbs of a model work on. */
export let stateOf: (vae: Vae) => VaeState;

/** @internal A model of its own, for verbs that make one. */
export let makeVae: (opened: OpenedModel) => Vae;

/**
 * A variational autoencoder (Kingma and Welling 2014; Rezende et al. 2014): trains, encodes, decodes,
 * samples and scores. Everything that takes time runs off the JavaScript thread.
 */
export class Vae {
  readonly #state: VaeState;

  private constructor({ origin, engine }: OpenedModel) {
    this.#state = new VaeState(origin, engine);
  }

  static {
    stateOf = (vae) => vae.#state;
    makeVae = (opened) => new Vae(opened);
  }

  /**
   * Makes an untrained model.
   *
   * @throws VaeError ERR_VAE_OPTION for options that are unknown, out of range or do not fit together;
   *   ERR_VAE_BINDING where the addon, ONNX Runtime or the provider cannot be loaded.
   */
  static async create(options: VaeOptions): Promise<Vae> {
    const { createModel } = await import('./open.js');
    return new Vae(await createModel(options));
  }

  /**
   * Opens a model directory; a model of this package by its name, such as `mnist-mlp`; two ONNX files of
   * anyone's making, `{ encoder, decoder }`; or a folder with vae_encoder/model.onnx,
   * vae_decoder/model.onnx and config.json, as Hugging Face's exporter writes it for the autoencoder of a
   * diffusion model. Latents of the last are scaled and shifted as its config says, so that
   * decode(encode(x)) is right and other tools of that model can take them.
   *
   * @throws VaeError ERR_VAE_IO where there is none, ERR_VAE_FORMAT where a file is missing, truncated,
   *   altered or written by a newer version, ERR_VAE_GRAPH where two graphs are not the two halves of a
   *   VAE, ERR_VAE_BINDING where the provider is not there.
   */
  static async load(source: string | OnnxPair, options: LoadOptions = NO_OPTIONS): Promise<Vae> {
    const { loadModel } = await import('./load.js');
    return new Vae(await loadModel(source, options));
  }

  /**
   * Takes an encoder and a decoder that PyTorch, TensorFlow or anyone exported to ONNX, to be trained
   * further: their weights become parameters, joined by sampling and a loss. `save()` writes them
   * back with the inputs, outputs and opset they came with. Opsets 13 to 26, float32. Data has the layout of the
   * graphs: TensorFlow's have channels last unless tf2onnx is told otherwise (`--inputs-as-nchw`).
   *
   * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_GRAPH, ERR_VAE_SHAPE, ERR_VAE_UNSUPPORTED_OPERATOR for graphs that
   *   cannot be read or are not the halves of a VAE; ERR_VAE_OPTION.
   */
  static async fromOnnx(options: FromOnnxOptions): Promise<Vae> {
    const { importModel } = await import('./open.js');
    return new Vae(await importModel(options));
  }

  get info(): VaeInfo {
    return describeOrigin(this.#state.origin, this.#state.engine.networks);
  }

  /** Shape of one example, channels first; −1 on an axis that may have any size. */
  get dataShape(): readonly number[] {
    return this.#state.engine.networks.dataShape;
  }

  /** Shape of one latent: [latentDim], or with spatial axes; −1 on an axis that may have any size. */
  get latentShape(): readonly number[] {
    return this.#state.engine.networks.latentShape;
  }

  /** How the files it was trained on became rows; undefined where it was trained on arrays. */
  get recipe(): DataRecipe | undefined {
    return descriptionOf(this.#state.origin)?.data as DataRecipe | undefined;
  }

  /** The execution provider that networks run on, such as `cpu` or `cuda`. */
  get provider(): string {
    return this.#state.engine.provider;
  }

  /** A copy of one parameter's values, float32, row-major. */
  parameter(name: string): Float32Array {
    const { origin } = this.#state;
    const store = 'saved' in origin ? undefined : recipeOf(origin, 'parameter()').parameters;
    const specs = 'saved' in origin ? origin.saved.summary.parameters : store!.specs;
    if (!specs.some((spec) => spec.name === name)) {
      const known = specs.map((spec) => spec.name).join(', ');
      throw new VaeError('ERR_VAE_OPTION', `This model has no parameter named "${name}"; it has ${known}.`);
    }
    if ('saved' in origin) return origin.saved.parameter(name)!;
    return store!.view(store!.specs.find((spec) => spec.name === name)!).slice();
  }

  /**
   * Another Vae of the same model that shares its networks and their memory: closing one leaves the
   * other usable, and training one leaves the other as it was.
   */
  clone(): Vae {
    const { lifetime, origin, engine } = this.#state;
    lifetime.check();
    return new Vae({ origin, engine: engine.share() });
  }

  /** Idempotent; waits for work in flight, a running fit() included (abort its signal to end it sooner). */
  close(): Promise<void> {
    return this.#state.lifetime.close(() => this.#state.engine.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
