/**
 * Recurrent layers, written out step by step before anything is differentiated: backward through time is then the
 * backward pass of what stands there (Werbos 1990). The graph grows with the length of the sequence, which must be known.
 */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type Expanded, expansion, type GradientTable } from '../registry.js';

/** A step takes about twenty nodes; a graph of more would open too slowly. */
const LONGEST = 1024;

interface Direction {
  /** x·Wᵀ with the input's bias, [1, N, gates·H] for each step, in the order of the steps. */
  readonly steps: readonly Value[];
  /** [H, gates·H] */
  readonly recurrent: Value;
  /** Bias of the state's side, [gates·H]; undefined where it is part of `steps`. */
  readonly bias: Value | undefined;
  readonly hidden: Value | undefined;
  readonly cell: Value | undefined;
}

/** One step: the next state from the one before, all [1, N, H]. */
type Step = (
  context: GradientContext,
  projected: Value,
  before: { readonly hidden: Value | undefined; readonly cell: Value | undefined },
  direction: Direction,
) => { readonly hidden: Value; readonly cell?: Value };

interface Kind {
  readonly gates: number;
  readonly activations: readonly string[];
  /** Where the initial state of the cell stands, if there is one. */
  readonly cellInput?: number;
  /** Whether both biases may be added up beforehand. */
  readonly joinBias: (context: GradientContext) => boolean;
  readonly step: Step;
}

function sigmoid(context: GradientContext, x: Value): Value {
  return context.op('Sigmoid', [x]);
}

function tanh(context: GradientContext, x: Value): Value {
  return context.op('Tanh', [x]);
}

function gatesOf(context: GradientContext, x: Value, count: number): Value[] {
  return context.ops('Split', [x], { axis: 2, num_outputs: count }, count) as Value[];
}

/** Adds h·Rᵀ to what the input gives; a state of zeros adds nothing. */
function withState(context: GradientContext, projected: Value, hidden: Value | undefined, recurrent: Value): Value {
  return hidden === undefined ? projected : context.add(projected, context.op('MatMul', [hidden, recurrent]));
}

/** Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000; gates in the order i, o, f, c. */
const lstm: Step = (context, projected, { hidden, cell }, { recurrent }) => {
  const [i, o, f, c] = gatesOf(context, withState(context, projected, hidden, recurrent), 4);
  const written = context.mul(sigmoid(context, i!), tanh(context, c!));
  const next = cell === undefined ? written : context.add(context.mul(sigmoid(context, f!), cell), written);
  return { hidden: context.mul(sigmoid(context, o!), tanh(context, next)), cell: next };
};

/** Cho et al. 2014; gates in the order z, r, h. */
const gru: Step = (context, projected, { hidden }, { recurrent, bias }) => {
  const three = (value: Value, axis: number) => context.ops('Split', [value], { axis, num_outputs: 3 }, 3) as Value[];
  const [xz, xr, xh] = gatesOf(context, projected, 3);
  const late = context.int('linear_before_reset', 0) !== 0;
  if (late) {
    // The state's bias belongs to what is reset, so it was not added beforehand.
    const state = hidden === undefined ? bias : withBias(context, context.op('MatMul', [hidden, recurrent]), bias);
    const parts = state === undefined ? undefined : three(state, context.rank(state) - 1);
    const plus = (x: Value, part: Value | undefined) => (part === undefined ? x : context.add(x, part));
    const z = sigmoid(context, plus(xz!, parts?.[0]));
    const r = sigmoid(context, plus(xr!, parts?.[1]));
    const h = tanh(context, parts === undefined ? xh! : context.add(xh!, context.mul(r, parts[2]!)));
    return { hidden: blend(context, z, h, hidden) };
  }
  if (hidden === undefined) return { hidden: blend(context, sigmoid(context, xz!), tanh(context, xh!), undefined) };
  const [rz, rr, rh] = context.ops('Split', [recurrent], { axis: 1, num_outputs: 3 }, 3) as Value[];
  const z = sigmoid(context, withState(context, xz!, hidden, rz!));
  const r = sigmoid(context, withState(context, xr!, hidden, rr!));
  const h = tanh(context, withState(context, xh!, context.mul(r, hidden), rh!));
  return { hidden: blend(context, z, h, hidden) };
};

/** (1 - z)·h + z·before */
function blend(context: GradientContext, z: Value, h: Value, before: Value | undefined): Value {
  const fresh = context.mul(context.sub(context.scalar(1, z.dtype), z), h);
  return before === undefined ? fresh : context.add(fresh, context.mul(z, before));
}

function withBias(context: GradientContext, x: Value, bias: Value | undefined): Value {
  return bias === undefined ? x : context.add(x, bias);
}

/** Elman 1990. */
const rnn: Step = (context, projected, { hidden }, { recurrent }) => ({
  hidden: tanh(context, withState(context, projected, hidden, recurrent)),
});

const KINDS = {
  LSTM: { gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'], cellInput: 6, joinBias: () => true, step: lstm },
  GRU: {
    gates: 3,
    activations: ['Sigmoid', 'Tanh'],
    joinBias: (context) => context.int('linear_before_reset', 0) === 0,
    step: gru,
  },
  RNN: { gates: 1, activations: ['Tanh'], joinBias: () => true, step: rnn },
} satisfies Record<string, Kind>;

function unroll(context: GradientContext, kind: Kind): Expanded {
  const directions = check(context, kind);
  const { builder } = context;
  const batchFirst = context.int('layout', 0) !== 0;
  const turned = (value: Value | undefined, perm: readonly number[]) =>
    value && (batchFirst ? context.op('Transpose', [value], { perm }) : value);
  const x = turned(context.input(0), [1, 0, 2])!;
  const length = x.shape?.[0];
  if (typeof length !== 'number' || length < 1 || length > LONGEST) {
    const found = typeof length === 'number' ? `is ${length}` : 'is known only when the graph runs';
    context.fail(
      `the length of the sequence ${found}, and it is written out step by step: expected a fixed length of 1 to ${LONGEST}`,
    );
  }
  const initial = turned(context.inputs[5], [1, 0, 2]);
  const initialCell = kind.cellInput === undefined ? undefined : turned(context.inputs[kind.cellInput], [1, 0, 2]);
  /** The part of each direction, along the first axis. */
  const parts = (value: Value | undefined): (Value | undefined)[] => {
    if (value === undefined || directions.length === 1) return [value];
    return context.ops('Split', [value], { axis: 0, num_outputs: 2 }, 2);
  };
  const flat = (value: Value | undefined) => value && context.op('Squeeze', [value, builder.int64s([0])]);
  const [weights, recurrents, biases] = [1, 2, 3].map((index) => parts(context.inputs[index]));
  const [states, cells] = [parts(initial), parts(initialCell)];
  const results = directions.map((backwards, at) => {
    const bias = flat(biases![at]);
    const halves = bias && (context.ops('Split', [bias], { axis: 0, num_outputs: 2 }, 2) as Value[]);
    const join = kind.joinBias(context);
    const own = halves && (join ? context.add(halves[0]!, halves[1]!) : halves[0]!);
    const transposed = (value: Value) => context.op('Transpose', [flat(value)!], { perm: [1, 0] });
    const projected = withBias(context, context.op('MatMul', [x, transposed(weights![at]!)]), own);
    const steps =
      length === 1
        ? [projected]
        : (context.ops('Split', [projected], { axis: 0, num_outputs: length }, length) as Value[]);
    return run(context, kind, {
      steps: backwards ? [...steps].reverse() : steps,
      recurrent: transposed(recurrents![at]!),
      bias: join ? undefined : halves?.[1],
      hidden: states[at],
      cell: cells[at],
    });
  });
  const along = (values: readonly Value[], axis: number) =>
    values.length === 1 ? values[0]! : context.op('Concat', values, { axis });
  const sequences = results.map(({ hiddens }, at) => {
    const ordered = directions[at] ? [...hiddens].reverse() : hiddens;
    return context.op('Unsqueeze', [along(ordered, 0), builder.int64s([1])]);
  });
  const y = turned(along(sequences, 1), [2, 0, 1, 3])!;
  const last = along(
    results.map(({ hiddens }) => hiddens.at(-1)!),
    0,
  );
  const outputs = [y, turned(last, [1, 0, 2])];
  if (kind.cellInput !== undefined) {
    outputs.push(
      turned(
        along(
          results.map(({ cell }) => cell!),
          0,
        ),
        [1, 0, 2],
      ),
    );
  }
  return { outputs };
}

function run(
  context: GradientContext,
  kind: Kind,
  direction: Direction,
): { hiddens: Value[]; cell: Value | undefined } {
  let { hidden, cell } = direction;
  const hiddens: Value[] = [];
  for (const projected of direction.steps) {
    const next = kind.step(context, projected, { hidden, cell }, direction);
    hidden = next.hidden;
    cell = next.cell;
    hiddens.push(hidden);
  }
  return { hiddens, cell };
}

/** Whether each direction runs backwards; refuses the forms that hardly anybody exports. */
function check(context: GradientContext, { activations }: Kind): readonly boolean[] {
  const { attributes } = context.node;
  const direction = context.string('direction', 'forward');
  const directions = { forward: [false], reverse: [true], bidirectional: [false, true] }[direction];
  if (directions === undefined) return context.fail(`its direction is "${direction}"`);
  const given = attributes['activations'];
  const wanted = directions.flatMap(() => activations).map((name) => name.toLowerCase());
  if (given?.kind === 'strings' && given.value.join().toLowerCase() !== wanted.join()) {
    context.fail(`its activations are ${given.value.join(', ')}; expected ${activations.join(', ')}`);
  }
  if (attributes['clip'] !== undefined) context.fail('it clips its gates (attribute clip)');
  if (context.int('input_forget', 0) !== 0) context.fail('its input and forget gate are coupled (input_forget)');
  if (context.inputs[4] !== undefined) context.fail('its sequences have lengths of their own (input sequence_lens)');
  if (context.inputs[7] !== undefined) context.fail('it has peephole weights (input P)');
  return directions;
}

export const RECURRENT: GradientTable = {
  LSTM: expansion((context) => unroll(context, KINDS.LSTM)),
  GRU: expansion((context) => unroll(context, KINDS.GRU)),
  RNN: expansion((context) => unroll(context, KINDS.RNN)),
};
