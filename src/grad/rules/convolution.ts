/** Conv and ConvTranspose in any number of dimensions. Each is the other's gradient. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { convAttributes, convGeometry, convTransposeGeometry, padsOf, spatialDims } from './conv-geometry.js';
import { imageGradient, weightGradient } from './conv-lowering.js';

type Gradients = readonly (Value | undefined)[];

/** One bias per channel: summed over everything else. */
function biasGradient(context: GradientContext): Value | undefined {
  if (!context.needs(2)) return undefined;
  const gradient = context.gradient();
  const axes = [0, ...spatialDims(gradient).map((_, axis) => axis + 2)];
  return context.reduceSum(gradient, axes, false);
}

function conv(context: GradientContext): Gradients {
  const [image, weight] = [context.input(0), context.input(1)];
  const geometry = convGeometry(context);
  return [
    context.needs(0) ? imageGradient(context, context.gradient(), weight, image, geometry) : undefined,
    context.needs(1) ? weightGradient(context, image, context.gradient(), weight, geometry) : undefined,
    biasGradient(context),
  ];
}

function convTranspose(context: GradientContext): Gradients {
  const [map, weight] = [context.input(0), context.input(1)];
  const geometry = convTransposeGeometry(context);
  const image = context.gradient();
  const mapGradient = () =>
    context.op('Conv', [image, weight], { ...convAttributes(geometry), pads: padsOf(geometry) });
  return [
    context.needs(0) ? mapGradient() : undefined,
    context.needs(1) ? weightGradient(context, image, map, weight, geometry) : undefined,
    biasGradient(context),
  ];
}

export const CONVOLUTION: GradientTable = {
  Conv: rule(conv),
  ConvTranspose: rule(convTranspose),
};
