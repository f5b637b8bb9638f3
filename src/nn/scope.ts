/** Where layers find their parameters, and under which names. */
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Initializer } from './initializers.js';

/** One trainable array of a network. */
export interface ParameterSpec {
  readonly name: string;
  readonly dims: readonly number[];
  readonly initializer: Initializer;
  /** Whether weight decay applies to it; biases and norms are commonly left out. */
  readonly decay: boolean;
}

/** Gives a layer the value of a parameter: a graph input while training, a constant when exported. */
export type ParameterSource = (spec: ParameterSpec, builder: GraphBuilder) => Value;

/**
 * A place in a network's tree of names. The encoder and the decoder may stand in one graph or in
 * two; a parameter asked for twice in one graph is the same value.
 */
export class Scope {
  readonly g: GraphBuilder;
  readonly #source: ParameterSource;
  readonly #path: string;
  readonly #made: Map<string, Value>;

  constructor(g: GraphBuilder, source: ParameterSource, path = '', made: Map<string, Value> = new Map()) {
    this.g = g;
    this.#source = source;
    this.#path = path;
    this.#made = made;
  }

  /** The scope one step deeper: names below it begin with `name.`. */
  at(name: string | number): Scope {
    return new Scope(this.g, this.#source, this.name(String(name)), this.#made);
  }

  /** The full name of something in this scope. */
  name(local: string): string {
    return this.#path === '' ? local : `${this.#path}.${local}`;
  }

  parameter(
    local: string,
    dims: readonly number[],
    initializer: Initializer,
    options: { readonly decay?: boolean } = {},
  ): Value {
    const name = this.name(local);
    let value = this.#made.get(name);
    if (value === undefined) {
      value = this.#source({ name, dims, initializer, decay: options.decay ?? true }, this.g);
      this.#made.set(name, value);
    }
    return value;
  }
}
