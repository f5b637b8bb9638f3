/** Finds group normalisations in a forward graph, in the forms that exporters write them in. */
import type { GraphBuilder, Value } from '../graph/builder.js';
import { numbersOf } from '../graph/constants.js';
import type { Node } from '../graph/ir.js';
import { readsOf } from '../graph/reads.js';
import { sameShape } from './shapes.js';

/** An input of a node. */
export interface Place {
  readonly node: Node;
  readonly index: number;
}

/** y = act(scale·(x - mean)/deviation + shift) over groups of channels of [N, C, ...], float32. */
export interface GroupNorm {
  readonly x: Value;
  /** C elements, of any shape that broadcasts along the channels. */
  readonly scale: Value;
  readonly shift: Value;
  readonly y: Value;
  readonly groups: number;
  readonly epsilon: number;
  /** Whether y is z·σ(z) of the normalised z. */
  readonly silu: boolean;
  /** Where x, scale and shift go in. */
  readonly xAt: Place;
  readonly scaleAt: Place;
  readonly shiftAt: Place;
}

/** @param kept values that must be made although nothing else reads them. */
export function findGroupNorms(builder: GraphBuilder, kept: ReadonlySet<string>): GroupNorm[] {
  const finder = new Finder(builder, kept);
  return builder.graph.nodes.flatMap((node) => finder.at(node) ?? []);
}

class Finder {
  readonly #builder: GraphBuilder;
  readonly #readers = new Map<string, Node[]>();
  readonly #kept: Set<string>;

  constructor(builder: GraphBuilder, kept: ReadonlySet<string>) {
    this.#builder = builder;
    this.#kept = new Set([...kept, ...builder.graph.outputs.map(({ name }) => name)]);
    for (const node of builder.graph.nodes) {
      for (const name of new Set(readsOf(node))) {
        const known = this.#readers.get(name);
        if (known === undefined) this.#readers.set(name, [node]);
        else known.push(node);
      }
    }
  }

  at(node: Node): GroupNorm | undefined {
    if (node.domain !== '') return undefined;
    const plain =
      node.op === 'InstanceNormalization'
        ? (this.#reshaped(node) ?? this.#whole(node, undefined))
        : node.op === 'GroupNormalization'
          ? this.#whole(node, node.attributes['num_groups'])
          : undefined;
    return plain && this.#withActivation(plain);
  }

  /** One node with a scale and shift for each channel. */
  #whole(node: Node, given: Node['attributes'][string] | undefined): GroupNorm | undefined {
    const [x, scale, shift] = node.inputs.map((name) => this.#builder.value(name));
    const y = this.#builder.value(node.outputs[0]!);
    const channels = x?.shape?.[1];
    const groups = given === undefined ? channels : given.kind === 'int' ? given.value : undefined;
    if (
      typeof groups !== 'number' ||
      !isFloat(x, scale, shift) ||
      !isPerChannel(scale!, x!) ||
      !isPerChannel(shift!, x!)
    ) {
      return undefined;
    }
    return {
      x: x!,
      scale: scale!,
      shift: shift!,
      y,
      groups,
      epsilon: epsilonOf(node),
      silu: false,
      xAt: { node, index: 0 },
      scaleAt: { node, index: 1 },
      shiftAt: { node, index: 2 },
    };
  }

  /** Reshape to [N, groups, rest], instance normalisation without scale and shift, Reshape back, Mul, Add. */
  #reshaped(node: Node): GroupNorm | undefined {
    const apart = this.#builder.producers.get(node.inputs[0]!);
    if (apart?.op !== 'Reshape' || apart.domain !== '' || this.#soleReader(apart.outputs[0]!) !== node)
      return undefined;
    if (!this.#isEverywhere(node.inputs[1]!, 1) || !this.#isEverywhere(node.inputs[2]!, 0)) return undefined;
    const x = this.#builder.value(apart.inputs[0]!);
    const rows = this.#builder.value(apart.outputs[0]!);
    const groups = rows.shape?.[1];
    if (!isFloat(x) || typeof groups !== 'number' || rows.shape!.length !== 3) return undefined;
    if (rows.shape![0] !== x.shape?.[0]) return undefined;
    const together = this.#soleReader(node.outputs[0]!);
    if (together?.op !== 'Reshape' || together.domain !== '') return undefined;
    if (!sameShape(this.#builder.value(together.outputs[0]!).shape, x.shape)) return undefined;
    const mul = this.#step(together, 'Mul', x);
    const add = mul && this.#step(mul.node, 'Add', x);
    if (mul === undefined || add === undefined) return undefined;
    return {
      x,
      scale: mul.vector,
      shift: add.vector,
      y: this.#builder.value(add.node.outputs[0]!),
      groups,
      epsilon: epsilonOf(node),
      silu: false,
      xAt: { node: apart, index: 0 },
      scaleAt: { node: mul.node, index: mul.index },
      shiftAt: { node: add.node, index: add.index },
    };
  }

  /** The only reader of a node's result, which combines it with a number for each channel. */
  #step(from: Node, op: string, x: Value): { node: Node; vector: Value; index: number } | undefined {
    const node = this.#soleReader(from.outputs[0]!);
    if (node?.op !== op || node.domain !== '') return undefined;
    const index = node.inputs[0] === from.outputs[0] ? 1 : 0;
    const vector = this.#builder.value(node.inputs[index]!);
    if (!isFloat(vector) || !isPerChannel(vector, x) || vector.name === from.outputs[0]) return undefined;
    return sameShape(this.#builder.value(node.outputs[0]!).shape, x.shape) ? { node, vector, index } : undefined;
  }

  #withActivation(norm: GroupNorm): GroupNorm {
    const readers = this.#readers.get(norm.y.name) ?? [];
    if (readers.length !== 2 || this.#kept.has(norm.y.name)) return norm;
    const sigmoid = readers.find(({ op, domain }) => op === 'Sigmoid' && domain === '');
    const mul = readers.find(({ op, domain }) => op === 'Mul' && domain === '');
    if (sigmoid === undefined || mul === undefined || this.#soleReader(sigmoid.outputs[0]!) !== mul) return norm;
    const factors = new Set(mul.inputs);
    if (!factors.has(norm.y.name) || !factors.has(sigmoid.outputs[0]!)) return norm;
    return { ...norm, y: this.#builder.value(mul.outputs[0]!), silu: true };
  }

  #soleReader(name: string): Node | undefined {
    const readers = this.#readers.get(name) ?? [];
    return readers.length === 1 && !this.#kept.has(name) ? readers[0] : undefined;
  }

  /** A constant of the formula that is this number throughout. */
  #isEverywhere(name: string, number: number): boolean {
    const producer = this.#builder.producers.get(name);
    const attribute = producer?.op === 'Constant' ? producer.attributes['value'] : undefined;
    const constant = attribute?.kind === 'tensor' ? attribute.value : this.#builder.graph.initializers.get(name);
    if (constant === undefined || this.#kept.has(name) || !(constant.data instanceof Uint8Array)) return false;
    return constant.dtype === 'float32' && numbersOf(constant).every((element) => element === number);
  }
}

function isFloat(...values: readonly (Value | undefined)[]): boolean {
  return values.every((value) => value?.dtype === 'float32');
}

/** Whether a value has one element for each channel of x, and broadcasts along them. */
function isPerChannel(vector: Value, x: Value): boolean {
  const channels = x.shape?.[1];
  if (typeof channels !== 'number' || vector.shape === undefined) return false;
  // A vector alone stands for channels where a node says so; against [N, C, ...] it needs ones behind it.
  if (vector.shape.length === 1) return vector.shape[0] === channels;
  const behind = x.shape!.length - 2;
  const missing = x.shape!.length - vector.shape.length;
  return (
    missing >= 0 &&
    vector.shape.every((length, axis) => length === (vector.shape!.length - 1 - axis === behind ? channels : 1))
  );
}

function epsilonOf(node: Node): number {
  const attribute = node.attributes['epsilon'];
  return attribute?.kind === 'float' ? attribute.value : 1e-5;
}
