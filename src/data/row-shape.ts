import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';

/**
 * The shape that rows of shape `actual` are used with where `expected` is asked for. Axes of length 1
 * carry nothing, and a flat row of the right length can be only one thing, so both are taken as meant.
 *
 * @throws VaeError ERR_VAE_SHAPE for any other difference.
 */
export function fitRowShape(
  actual: readonly number[],
  expected: readonly number[] | undefined,
  where: string,
): readonly number[] {
  if (expected === undefined || actual.join() === expected.join()) return actual;
  const flat = actual.length === 1 || expected.length === 1;
  const sameAxes = squeeze(actual).join() === squeeze(expected).join();
  if (sameAxes || (flat && elementCount(actual) === elementCount(expected))) return [...expected];
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: expected rows of shape [${expected.join(', ')}], received rows of [${actual.join(', ')}].` +
      (layoutHint(actual, expected) ??
        (elementCount(actual) === elementCount(expected)
          ? ' The number of values is the same: check the order of the axes (channels come first), or reshape().'
          : '')),
  );
}

function squeeze(shape: readonly number[]): number[] {
  return shape.filter((dim) => dim !== 1);
}

/** What to say of rows whose channels come last; undefined where they do not. */
export function layoutHint(actual: readonly number[], expected?: readonly number[]): string | undefined {
  const [channels, ...places] = expected ?? [actual.at(-1)!, ...actual.slice(0, -1)];
  const last = [...places, channels!];
  if (actual.length < 2 || actual.length !== last.length) return undefined;
  if (!last.every((dim, axis) => dim === -1 || dim === actual[axis])) return undefined;
  return ` [N, ${actual.join(', ')}] has its channels last, and channels come first here: pass layout: 'nhwc', as in { data, shape, layout: 'nhwc' } (--layout nhwc).`;
}
