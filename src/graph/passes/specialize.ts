/** Gives symbolic lengths their numbers. */
import { VaeError } from '../../core/errors.js';
import { inferModel } from '../infer/infer-model.js';
import type { Dim, Model, Shape, TensorType } from '../ir.js';

/**
 * Replaces symbols such as `N` in the graph's inputs by numbers and infers all types again, in place.
 *
 * @throws VaeError ERR_VAE_OPTION for a symbol that no input has or a number that is no length,
 * ERR_VAE_SHAPE where the numbers do not fit together.
 */
export function specializeDims(model: Model, lengths: Readonly<Record<string, number>>): void {
  const { graph } = model;
  const symbols = new Set(graph.inputs.flatMap(({ shape }) => shape ?? []).filter((dim) => typeof dim === 'string'));
  for (const [symbol, length] of Object.entries(lengths)) {
    if (!symbols.has(symbol)) {
      const known = [...symbols].join(', ') || 'none';
      throw new VaeError(
        'ERR_VAE_OPTION',
        `No input of the graph has a length "${symbol}"; its symbolic lengths are: ${known}.`,
      );
    }
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `The length "${symbol}" must be a whole number of at least 0 and is ${length}.`,
      );
    }
  }
  const replace = (dim: Dim): Dim => (typeof dim === 'string' && Object.hasOwn(lengths, dim) ? lengths[dim]! : dim);
  const replaceAll = (shape: Shape | undefined): Shape | undefined => shape?.map(replace);
  graph.inputs = graph.inputs.map((input) => ({ ...input, shape: replaceAll(input.shape) }));
  const declared = new Map<string, TensorType>();
  for (const [name, type] of graph.types) declared.set(name, { ...type, shape: replaceAll(type.shape) });
  inferModel(model, declared);
}
