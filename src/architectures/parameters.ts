/** The values of a network's parameters, by name and as one flat buffer. */
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { Constant } from '../graph/ir.js';
import type { ParameterSource, ParameterSpec } from '../nn/scope.js';

/** Parameters in the order a network asks for them, float32, without gaps. */
export class ParameterStore {
  readonly specs: readonly ParameterSpec[];
  readonly values: Float32Array;
  readonly #offsets = new Map<string, number>();

  /** @param values borrowed; zeros where not given. */
  constructor(specs: readonly ParameterSpec[], values?: Float32Array) {
    this.specs = specs;
    let total = 0;
    for (const spec of specs) {
      this.#offsets.set(spec.name, total);
      total += elementCount(spec.dims);
    }
    this.values = values ?? new Float32Array(total);
    if (this.values.length !== total) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `The parameters hold ${total} values in all, received ${this.values.length}.`,
      );
    }
  }

  get count(): number {
    return this.values.length;
  }

  has(name: string): boolean {
    return this.#offsets.has(name);
  }

  /** A view, not a copy. */
  view(spec: ParameterSpec): Float32Array {
    const offset = this.#offsets.get(spec.name);
    if (offset === undefined) throw new VaeError('ERR_VAE_GRAPH', `The model has no parameter named "${spec.name}".`);
    return this.values.subarray(offset, offset + elementCount(spec.dims));
  }

  constant(spec: ParameterSpec): Constant {
    const view = this.view(spec);
    return {
      dtype: 'float32',
      dims: spec.dims,
      data: new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
    };
  }

  /**
   * The same parameters with other values: those of the trainable ones in their order, and those of
   * the states by name. Borrowed where there are no states.
   */
  with(trained: Float32Array, states: Readonly<Record<string, Float32Array>> = {}): ParameterStore {
    if (this.specs.every(({ trainable }) => trainable)) return new ParameterStore(this.specs, trained);
    const next = new ParameterStore(this.specs);
    let at = 0;
    for (const spec of this.specs) {
      const view = next.view(spec);
      view.set(spec.trainable ? trained.subarray(at, at + view.length) : states[spec.name]!);
      if (spec.trainable) at += view.length;
    }
    return next;
  }

  /** Parameters become constants of the graph. */
  readonly asInitializers: ParameterSource = (spec, g: GraphBuilder) => g.initializer(spec.name, this.constant(spec));
}

/** Gathers what a network asks for while a graph is built, without values. */
export function collectParameters(into: ParameterSpec[]): ParameterSource {
  return (spec, g) => {
    into.push(spec);
    return g.input(spec.name, 'float32', spec.dims);
  };
}
