/** Where layers find their parameters, and under which names. */
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Initializer } from './initializers.js';

/** One array of a network. */
export interface ParameterSpec {
  readonly name: string;
  readonly dims: readonly number[];
  readonly initializer: Initializer;
  /** Whether weight decay applies to it; biases and norms are commonly left out. */
  readonly decay: boolean;
  /** False for a state: its next value is computed by the graph itself rather than by the optimizer. */
  readonly trainable: boolean;
}

/** Gives a layer the value of a parameter: a graph input while training, a constant when exported. */
export type ParameterSource = (spec: ParameterSpec, builder: GraphBuilder) => Value;

/** What all scopes of one graph have in common. */
export interface ScopeParts {
  readonly parameters: Map<string, Value>;
  readonly updates: Map<string, Value>;
  readonly stopped: string[];
}

/**
 * A place in a network's tree of names. The encoder and the decoder may stand in one graph or in
 * two; a parameter asked for twice in one graph is the same value.
 */
export class Scope {
  readonly g: GraphBuilder;
  readonly #source: ParameterSource;
  readonly #path: string;
  readonly #shared: ScopeParts;

  constructor(
    g: GraphBuilder,
    source: ParameterSource,
    path = '',
    shared: ScopeParts = { parameters: new Map(), updates: new Map(), stopped: [] },
  ) {
    this.g = g;
    this.#source = source;
    this.#path = path;
    this.#shared = shared;
  }

  /** The scope one step deeper: names below it begin with `name.`. */
  at(name: string | number): Scope {
    return new Scope(this.g, this.#source, this.name(String(name)), this.#shared);
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
    return this.#array({ name: this.name(local), dims, initializer, decay: options.decay ?? true, trainable: true });
  }

  /** An array that the graph carries from step to step; `update` gives its next value. */
  state(local: string, dims: readonly number[], initializer: Initializer): Value {
    return this.#array({ name: this.name(local), dims, initializer, decay: false, trainable: false });
  }

  /** The next value of a state of this scope. */
  update(local: string, next: Value): void {
    this.#shared.updates.set(this.name(local), next);
  }

  /** The same value, through which no gradient flows. */
  stopGradient(value: Value): Value {
    const stopped = this.g.op('Identity', [value]);
    this.#shared.stopped.push(stopped.name);
    return stopped;
  }

  /** Next values of the graph's states, by the full name of the state. */
  get updates(): ReadonlyMap<string, Value> {
    return this.#shared.updates;
  }

  /** Names of the values through which no gradient flows. */
  get stopped(): readonly string[] {
    return this.#shared.stopped;
  }

  #array(spec: ParameterSpec): Value {
    const { parameters } = this.#shared;
    let value = parameters.get(spec.name);
    if (value === undefined) {
      value = this.#source(spec, this.g);
      parameters.set(spec.name, value);
    }
    return value;
  }
}
