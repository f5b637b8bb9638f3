/**
 * Which outputs of an encoder are the posterior, and in what form: by what the graph does with them where it draws,
 * then by their names, then by the names of the layers that make them and by a trial. The order in a file never
 * decides. One rule for models that are run as they are and for those that are trained further.
 */
import type { PosteriorValues } from '../../architectures/onnx.js';
import { VaeError } from '../../core/errors.js';
import type { Model } from '../../graph/ir.js';
import { rangeOf } from '../../graph/ranges/index.js';
import type { Spread } from '../../nn/spread.js';
import { isSpread, type Meaning, meaningOf } from './names.js';
import { findSampling } from './sampling.js';
import { Trace } from './trace.js';

/** An output as a session or a graph describes it; −1 is a length that is open. */
export interface OutputFacts {
  readonly name: string;
  readonly dtype: string;
  readonly dims: readonly number[];
}

/** What the posterior is, in values of the encoder; a point is the latent itself. */
export type FoundPosterior = PosteriorValues | { readonly point: string };

export interface EncoderFacts {
  /** For messages: what the file is called, and the call with the option that settles what cannot be told. */
  readonly file: string;
  readonly call: string;
  readonly outputs: readonly OutputFacts[];
  /** What the decoder takes. */
  readonly latent: OutputFacts;
  /** The error for an encoder none of whose outputs is what the decoder takes. */
  misfit(outputs: readonly OutputFacts[]): VaeError;
  /** The graph; undefined where it cannot be read. */
  graph(): Promise<Model | undefined>;
  /** The outputs on random data. */
  trial(): Promise<ReadonlyMap<string, { readonly data: Float32Array }>>;
}

/**
 * @throws VaeError ERR_VAE_GRAPH where it cannot be told or the halves do not fit, ERR_VAE_OPTION for names of
 *   outputs that are not there.
 */
export async function findPosterior(facts: EncoderFacts, given: FoundPosterior | undefined): Promise<FoundPosterior> {
  if (given !== undefined) return checkGiven(facts, given);
  const { outputs, latent } = facts;
  const candidates = outputs.filter((output) => isFloat(output) && output.dims.length === latent.dims.length);
  const latents = candidates.filter(({ dims }) => compatible(dims, latent.dims));
  const channels = latent.dims[1]!;
  const moments = candidates.filter(
    ({ dims, name }) => (channels > 0 && dims[1] === 2 * channels) || (dims[1] === -1 && name === 'latent_parameters'),
  );
  if (candidates.length === 1 && moments.length === 1) return { moments: moments[0]!.name };
  if (latents.length === 0) {
    throw facts.misfit(candidates);
  }
  return new Finder(facts, latents).find();
}

class Finder {
  readonly #facts: EncoderFacts;
  readonly #latents: readonly OutputFacts[];
  #trace: Trace | undefined;

  constructor(facts: EncoderFacts, latents: readonly OutputFacts[]) {
    this.#facts = facts;
    this.#latents = latents;
  }

  async find(): Promise<FoundPosterior> {
    const named = this.#latents.map(({ name }) => [name, meaningOf(name)] as const);
    const means = named.filter(([, meaning]) => meaning === 'mean');
    const widths = named.filter(([, meaning]) => meaning === 'logVariance');
    // What says plainly what it is needs no look into the graph.
    if (named.length === 2 && means.length === 1 && widths.length === 1) {
      return pair(means[0]![0], 'logVariance', widths[0]![0]);
    }
    const model = await this.#facts.graph();
    this.#trace = model && new Trace(model.graph);
    const drawn = this.#bySampling();
    if (drawn !== undefined) return drawn;
    const steady = named.filter(([name]) => this.#trace?.isRandom(name) !== true);
    if (steady.length === 0) {
      throw this.#unclear('it is a draw, another with every run, and where the graph makes it does not show of what');
    }
    return this.#among(steady);
  }

  /** Where the graph draws z = μ + σ ε: μ, and what σ was made of. */
  #bySampling(): FoundPosterior | undefined {
    const trace = this.#trace;
    const sampling = trace && findSampling(trace);
    if (trace === undefined || sampling === undefined) return undefined;
    const fits = (name: string): boolean => {
      const shape = trace.graph.types.get(name)?.shape;
      const dims = shape?.map((dim) => (typeof dim === 'number' ? dim : -1));
      return dims !== undefined && compatible(dims, this.#facts.latent.dims);
    };
    if (!fits(sampling.mean) || !fits(sampling.spread)) return undefined;
    // Outputs by their own names where they are those values.
    const nameOf = (value: string): string =>
      this.#latents.find(({ name }) => trace.origin(name) === value)?.name ?? value;
    return pair(nameOf(sampling.mean), sampling.form, nameOf(sampling.spread));
  }

  async #among(named: readonly (readonly [string, Meaning | undefined])[]): Promise<FoundPosterior> {
    const [only] = named;
    if (named.length === 1 && this.#latents.length === 1) {
      const role = roleOf(only![1]);
      if (role === 'spread') throw this.#unclear(`"${only![0]}" says how wide it is, and nothing where`);
      return { point: only![0] };
    }
    const roles = new Map(named.map(([name, meaning]) => [name, roleOf(meaning)]));
    const having = (role: Role | undefined): string[] =>
      [...roles].filter((each) => each[1] === role).map(([name]) => name);
    const settled = (): boolean => having('mean').length === 1 && having('spread').length === 1;
    if (!settled()) {
      for (const name of having(undefined)) {
        const role = roleOf(this.#layerMeaning(name, having(undefined)));
        if (role === 'mean' || role === 'spread') if (having(role).length === 0) roles.set(name, role);
      }
    }
    if (!settled()) await this.#dropCopies(roles);
    // Of two, one is what the other is not.
    const [mean, spread, other, draw] = [having('mean'), having('spread'), having(undefined), having('draw')];
    if (mean.length === 0 && spread.length === 1) {
      const left = other.length > 0 ? other : draw;
      if (left.length === 1) roles.set(left[0]!, 'mean');
    } else if (mean.length === 1 && spread.length === 0 && other.length === 1) roles.set(other[0]!, 'spread');
    if (settled()) return this.#spread(having('mean')[0]!, having('spread')[0]!);
    if (mean.length === 1 && spread.length === 0 && other.length === 0) return { point: mean[0]! };
    throw this.#unclear('neither names nor the graph tell which is the mean and which says how wide it is');
  }

  /** A model in evaluation mode gives its mean twice, as itself and as the draw: then it is known, and the copy goes. */
  async #dropCopies(roles: Map<string, Role | undefined>): Promise<void> {
    const trial = await this.#facts.trial();
    const names = [...roles.keys()];
    for (const name of names) {
      const own = trial.get(name)?.data;
      const copy = names.find((other) => other !== name && own !== undefined && isSame(own, trial.get(other)?.data));
      if (copy === undefined || !roles.has(name) || !roles.has(copy)) continue;
      const [kept, dropped] = roles.get(copy) === 'mean' || roles.get(name) === 'draw' ? [copy, name] : [name, copy];
      if (roles.get(kept) !== 'spread') roles.set(kept, 'mean');
      roles.delete(dropped);
    }
  }

  /** The mean beside what says how wide it is, in the form that name, graph and a trial say. */
  async #spread(mean: string, spread: string): Promise<FoundPosterior> {
    const meaning = meaningOf(spread);
    const values = (await this.#facts.trial()).get(spread)?.data ?? new Float32Array();
    const negative = values.some((value) => value < 0);
    if (meaning === 'variance' || meaning === 'std') {
      if (!negative) return pair(mean, meaning, spread);
      const what = meaning === 'std' ? 'a standard deviation' : 'a variance';
      throw this.#unclear(
        `"${spread}" is called ${what} and has negative values, so that it must be a logarithm of one`,
      );
    }
    if (meaning === 'logVariance' || meaning === 'logStd') return pair(mean, meaning, spread);
    if (meaning === 'width') {
      if (negative && !/sigma|std|sd|scale/i.test(spread)) return pair(mean, 'logVariance', spread);
      throw this.#unclear(`"${spread}" does not say in which form it gives the spread`);
    }
    const form = this.#formOf(spread, negative);
    if (typeof form === 'string') return pair(mean, form, spread);
    throw this.#unclear(form.unclear);
  }

  /** The form of an output that has no name of its own; or why it cannot be told. */
  #formOf(name: string, negative: boolean): Spread | { readonly unclear: string } {
    const layer = this.#layerMeaning(name);
    if (negative) {
      if (layer === 'logStd') return layer;
      if (layer !== 'std') return 'logVariance';
      return { unclear: `"${name}" comes from a layer called a standard deviation and has negative values` };
    }
    const unclear = `"${name}" is never negative: a variance or a standard deviation, and nothing says which`;
    const trace = this.#trace;
    if (trace === undefined) return { unclear };
    const maker = trace.maker(trace.origin(name));
    if (maker?.op === 'Sqrt') return 'std';
    if (maker?.op === 'Exp') {
      const inner = trace.maker(trace.origin(maker.inputs[0]!));
      const half = inner?.op === 'Div' ? 2 : 0.5;
      if (/^(Mul|Div)$/.test(inner?.op ?? '') && inner!.inputs.some((input) => trace.number(input) === half))
        return 'std';
    }
    return rangeOf(trace.graph, name)[0] < 0 ? 'logVariance' : { unclear };
  }

  /** What the names of the weights that only this output has say. */
  #layerMeaning(name: string, rivals: readonly string[] = this.#latents.map((each) => each.name)): Meaning | undefined {
    const trace = this.#trace;
    if (trace === undefined) return undefined;
    const own = trace.leadingTo(name);
    for (const rival of rivals) {
      if (rival !== name) for (const shared of trace.leadingTo(rival)) own.delete(shared);
    }
    const meanings = new Set(
      [...own]
        .filter((value) => trace.graph.initializers.has(value) && trace.graph.initializers.get(value)!.literal !== true)
        .map(meaningOf)
        .filter((meaning) => meaning !== undefined && meaning !== 'draw'),
    );
    return meanings.size === 1 ? [...meanings][0] : undefined;
  }

  #unclear(why: string): VaeError {
    const { file, outputs, call } = this.#facts;
    return new VaeError(
      'ERR_VAE_GRAPH',
      `${file}: which outputs are the posterior's mean and log-variance is not clear from ${describeOutputs(outputs)}: ${why}. ` +
        `Name them: ${call} with outputs: { mean, logVariance }, or { mean, variance }, { mean, std }, { mean, logStd }, as the ` +
        'model means it.',
    );
  }
}

type Role = 'mean' | 'spread' | 'draw';

function roleOf(meaning: Meaning | undefined): Role | undefined {
  return isSpread(meaning) || meaning === 'width' ? 'spread' : meaning;
}

function isSame(a: Float32Array, b: Float32Array | undefined): boolean {
  return a.length === b?.length && a.every((value, index) => value === b[index]);
}

function pair(mean: string, form: Spread, spread: string): PosteriorValues {
  return { mean, [form]: spread } as PosteriorValues;
}

function checkGiven({ file, outputs }: EncoderFacts, given: FoundPosterior): FoundPosterior {
  for (const name of Object.values(given)) {
    if (outputs.some((output) => output.name === name && isFloat(output))) continue;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `outputs: ${file} has no floating-point output "${name}"; it has ${describeOutputs(outputs)}.`,
    );
  }
  return given;
}

export function isFloat({ dtype }: Pick<OutputFacts, 'dtype'>): boolean {
  return dtype === 'float32' || dtype === 'float16';
}

export function compatible(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => axis === 0 || dim === -1 || b[axis] === -1 || dim === b[axis]);
}

export function describeOutputs(values: readonly OutputFacts[]): string {
  return (
    values
      .map(({ name, dtype, dims }) => `"${name}" ${dtype} [${dims.map((dim) => (dim === -1 ? '?' : dim)).join(', ')}]`)
      .join(', ') || 'none'
  );
}
