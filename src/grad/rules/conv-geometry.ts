/** Strides, dilations, padding and groups of convolutions, with automatic padding worked out. */
import type { Value } from '../../graph/builder.js';
import type { Dim } from '../../graph/ir.js';
import type { GradientContext } from '../context.js';

/** One number per spatial axis. `image` is the larger side, `map` the one that strides make smaller. */
export interface ConvGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding of the image in front and behind. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly group: number;
}

/** How many image elements a kernel covers along one axis. */
export function extent(geometry: ConvGeometry, axis: number): number {
  return (geometry.kernel[axis]! - 1) * geometry.dilations[axis]! + 1;
}

export function spatialDims(value: Value): readonly Dim[] {
  return value.shape!.slice(2);
}

export function padsOf({ begin, end }: ConvGeometry): number[] {
  return [...begin, ...end];
}

/** Strides, dilations, group and kernel, as attributes; padding is left to the caller. */
export function convAttributes(geometry: ConvGeometry): Record<string, number | readonly number[]> {
  const { kernel, strides, dilations, group } = geometry;
  return { kernel_shape: kernel, strides, dilations, group };
}

/** Geometry of a Conv: `image` is its input. */
export function convGeometry(context: GradientContext): ConvGeometry {
  const common = commonGeometry(context);
  const { kernel, strides, dilations } = common;
  const image = spatialDims(context.input(0));
  switch (context.string('auto_pad', 'NOTSET')) {
    case 'VALID':
      return { ...common, begin: kernel.map(() => 0), end: kernel.map(() => 0) };
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const totals = kernel.map((_, axis) => {
        const covered = (kernel[axis]! - 1) * dilations[axis]! + 1;
        const stride = strides[axis]!;
        const length = image[axis]!;
        if (stride === 1) return covered - 1;
        if (typeof length !== 'number') context.fail('automatic padding with a stride needs a length that is known');
        const steps = Math.ceil((length as number) / stride);
        return Math.max((steps - 1) * stride + covered - (length as number), 0);
      });
      return { ...common, ...shared(context, totals) };
    }
  }
  const pads = context.ints('pads') ?? new Array<number>(2 * kernel.length).fill(0);
  return { ...common, begin: pads.slice(0, kernel.length), end: pads.slice(kernel.length) };
}

/** Geometry of a ConvTranspose: `image` is its output. */
export function convTransposeGeometry(context: GradientContext): ConvGeometry {
  const common = commonGeometry(context);
  const { kernel, strides, dilations } = common;
  const map = spatialDims(context.input(0));
  const extra = context.ints('output_padding') ?? kernel.map(() => 0);
  const asked = context.ints('output_shape');
  const automatic = context.string('auto_pad', 'NOTSET');
  if (asked !== undefined || automatic.startsWith('SAME')) {
    const totals = kernel.map((_, axis) => {
      const covered = (kernel[axis]! - 1) * dilations[axis]! + 1;
      const stride = strides[axis]!;
      const wanted = asked?.at(axis - kernel.length);
      // By default the output is as long as the input times the stride.
      if (wanted === undefined) return Math.max(covered + extra[axis]! - stride, 0);
      const length = map[axis]!;
      if (typeof length !== 'number') return context.fail('output_shape needs an input of known lengths');
      return Math.max((length - 1) * stride + extra[axis]! + covered - wanted, 0);
    });
    return { ...common, ...shared(context, totals) };
  }
  const pads = automatic === 'VALID' ? undefined : context.ints('pads');
  const list = pads ?? new Array<number>(2 * kernel.length).fill(0);
  return { ...common, begin: list.slice(0, kernel.length), end: list.slice(kernel.length) };
}

function commonGeometry(context: GradientContext): Omit<ConvGeometry, 'begin' | 'end'> {
  const weight = context.input(1);
  context.rank(context.input(0));
  const kernel = weight.shape?.slice(2) ?? [];
  if (kernel.length === 0 || kernel.some((length) => typeof length !== 'number')) {
    context.fail('the shape of its kernel is not known');
  }
  const ones = kernel.map(() => 1);
  return {
    kernel: kernel as number[],
    strides: context.ints('strides') ?? ones,
    dilations: context.ints('dilations') ?? ones,
    group: context.int('group', 1),
  };
}

/** Padding divided between both ends; an odd one goes behind with SAME_UPPER, otherwise in front. */
function shared(
  context: GradientContext,
  totals: readonly number[],
): { readonly begin: readonly number[]; readonly end: readonly number[] } {
  const upper = context.string('auto_pad', 'NOTSET') === 'SAME_UPPER';
  const smaller = totals.map((total) => Math.floor(total / 2));
  const larger = totals.map((total) => Math.ceil(total / 2));
  return upper ? { begin: smaller, end: larger } : { begin: larger, end: smaller };
}
