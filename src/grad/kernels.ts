/**
 * Pieces of a differentiated graph that a native kernel can stand in for. The graph itself stays standard:
 * each piece is described beside it, by the names of the values that go in and come out, and whoever runs
 * the graph with the addon may compute those values by the kernel instead (artifacts/native-kernels.ts).
 */
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Node } from '../graph/ir.js';
import { GradientContext } from './context.js';
import { findGroupNorms, type GroupNorm } from './group-norms.js';
import {
  type ConvGeometry,
  convGeometry,
  convTransposeGeometry,
  extent,
  padsOf,
  spatialDims,
} from './rules/conv-geometry.js';
import { sameShape } from './shapes.js';
import type { DifferentiationState } from './writer.js';

/** One operator of the domain `node_vae`: see native/ops. */
export interface KernelMark {
  readonly op: 'Conv' | 'ConvTranspose' | 'ConvWeightGradient' | 'GroupNorm' | 'GroupNormGradient';
  readonly inputs: readonly string[];
  /** '' where a value is not wanted. Those that the graph does not have are read by other marks only. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

/** What the backward pass tells of itself. */
export interface BackwardRecord {
  /** Gradients that a node's rule gave, by input. */
  delivered(node: Node): readonly (Value | undefined)[] | undefined;
  /** The whole gradient of a value. */
  total(name: string): Value | undefined;
}

/** Most dimensions that the convolution kernels know. */
const MOST_AXES = 3;

/** To be made before forward nodes are expanded; the marks come once backward is complete. */
export class KernelFinder {
  readonly #builder: GraphBuilder;
  readonly #forward: readonly Node[];
  readonly #norms: readonly GroupNorm[];

  /** `kept`: values that someone may want although nothing reads them. */
  constructor(builder: GraphBuilder, kept: Iterable<string>) {
    this.#builder = builder;
    this.#forward = [...builder.graph.nodes];
    this.#norms = findGroupNorms(builder, new Set(kept));
  }

  marks(state: DifferentiationState, record: BackwardRecord): KernelMark[] {
    return [
      ...this.#norms.flatMap((norm) => this.#ofNorm(norm, record)),
      ...this.#forward.flatMap((node) => {
        if (node.domain !== '') return [];
        if (node.op === 'Conv') return ofConv(new GradientContext(state, node), record);
        if (node.op === 'ConvTranspose') return ofConvTranspose(new GradientContext(state, node), record);
        return [];
      }),
    ];
  }

  #ofNorm(norm: GroupNorm, record: BackwardRecord): KernelMark[] {
    const { x, scale, shift, y } = norm;
    const { groups, epsilon, silu } = norm;
    const statistics = (kind: string): string => {
      const name = this.#builder.unique(`${y.name}/${kind}`);
      return name;
    };
    const [mean, inverse] = [statistics('mean'), statistics('inverse_deviation')];
    const attributes = { groups, activation: silu ? 1 : 0 };
    const inputs = [x.name, scale.name, shift.name];
    const forward: KernelMark = {
      op: 'GroupNorm',
      inputs,
      outputs: [y.name, mean, inverse],
      attributes: { ...attributes, epsilon },
    };
    const gradient = record.total(y.name);
    const gradients = [norm.xAt, norm.scaleAt, norm.shiftAt].map(({ node, index }) => record.delivered(node)?.[index]);
    if (gradient === undefined || gradients.every((value) => value === undefined)) return [forward];
    if (!sameShape(gradient.shape, y.shape)) return [forward];
    if ([x, scale, shift].some((value, index) => !mayBe(gradients[index], value))) return [forward];
    const backward: KernelMark = {
      op: 'GroupNormGradient',
      inputs: [...inputs, mean, inverse, gradient.name],
      outputs: gradients.map(nameOf),
      attributes,
    };
    return [forward, backward];
  }
}

const nameOf = (value: Value | undefined): string => value?.name ?? '';

/** Whether a gradient is not wanted, or has the full shape of its value. */
function mayBe(gradient: Value | undefined, value: Value): boolean {
  return gradient === undefined || sameShape(gradient.shape, value.shape);
}

function attributesOf(geometry: ConvGeometry): KernelMark['attributes'] {
  const { kernel, strides, dilations, group } = geometry;
  return { kernel_shape: kernel, strides, dilations, group, pads: padsOf(geometry) };
}

/** Geometry of a convolution that the kernels know. */
function known(
  context: GradientContext,
  geometryOf: (context: GradientContext) => ConvGeometry,
): ConvGeometry | undefined {
  const { inputs } = context;
  const axes = (context.input(0).shape?.length ?? 0) - 2;
  if (axes < 1 || axes > MOST_AXES) return undefined;
  if (inputs.some((value) => value !== undefined && value.dtype !== 'float32')) return undefined;
  const channels = [context.input(0).shape![1], ...context.input(1).shape!];
  if (channels.some((length) => typeof length !== 'number')) return undefined;
  // What is left is worked out from lengths, which must then be known.
  const automatic = context.string('auto_pad', 'NOTSET');
  const lengths = [...context.input(0).shape!.slice(2), ...(context.output().shape?.slice(2) ?? ['?'])];
  if (automatic.startsWith('SAME') && lengths.some((length) => typeof length !== 'number')) return undefined;
  if (context.ints('output_shape') !== undefined && lengths.some((length) => typeof length !== 'number'))
    return undefined;
  const geometry = geometryOf(context);
  return padsOf(geometry).every((pad) => pad >= 0) ? geometry : undefined;
}

/** What division by the stride leaves over at the end of the image; undefined where lengths are not known. */
function leftOver(image: Value, map: Value, geometry: ConvGeometry): number[] | undefined {
  const lengths = spatialDims(image);
  const steps = spatialDims(map);
  const over = geometry.strides.map((stride, axis) => {
    const [length, count] = [lengths[axis], steps[axis]];
    if (typeof length === 'number' && typeof count === 'number') {
      return length + geometry.begin[axis]! + geometry.end[axis]! - ((count - 1) * stride + extent(geometry, axis));
    }
    return stride === 1 ? 0 : -1;
  });
  return over.every((count, axis) => count >= 0 && count < geometry.strides[axis]!) ? over : undefined;
}

function ofConv(context: GradientContext, record: BackwardRecord): KernelMark[] {
  const geometry = known(context, convGeometry);
  if (geometry === undefined) return [];
  const [image, weight, map] = [context.input(0), context.input(1), context.output()];
  const attributes = attributesOf(geometry);
  const marks: KernelMark[] = [{ op: 'Conv', inputs: context.node.inputs, outputs: [map.name], attributes }];
  const gradient = record.total(map.name);
  if (gradient === undefined || !sameShape(gradient.shape, map.shape)) return marks;
  const [ofImage, ofWeight, ofBias] = record.delivered(context.node) ?? [];
  const over = leftOver(image, map, geometry);
  if (ofImage !== undefined && sameShape(ofImage.shape, image.shape) && over !== undefined) {
    marks.push({
      op: 'ConvTranspose',
      inputs: [gradient.name, weight.name],
      outputs: [ofImage.name],
      attributes: { ...attributes, output_padding: over },
    });
  }
  if (ofWeight !== undefined && sameShape(ofWeight.shape, weight.shape)) {
    marks.push({
      op: 'ConvWeightGradient',
      inputs: [image.name, gradient.name],
      outputs: [ofWeight.name, ofBias?.shape?.length === 1 ? ofBias.name : ''],
      attributes,
    });
  }
  return marks;
}

function ofConvTranspose(context: GradientContext, record: BackwardRecord): KernelMark[] {
  const geometry = known(context, convTransposeGeometry);
  if (geometry === undefined) return [];
  const [map, weight, image] = [context.input(0), context.input(1), context.output()];
  const over = leftOver(image, map, geometry);
  if (over === undefined) return [];
  const attributes = attributesOf(geometry);
  const marks: KernelMark[] = [
    {
      op: 'ConvTranspose',
      inputs: context.node.inputs,
      outputs: [image.name],
      attributes: { ...attributes, output_padding: over },
    },
  ];
  const gradient = record.total(image.name);
  if (gradient === undefined || !sameShape(gradient.shape, image.shape)) return marks;
  const [ofMap, ofWeight] = record.delivered(context.node) ?? [];
  if (ofMap !== undefined && sameShape(ofMap.shape, map.shape)) {
    marks.push({ op: 'Conv', inputs: [gradient.name, weight.name], outputs: [ofMap.name], attributes });
  }
  if (ofWeight !== undefined && sameShape(ofWeight.shape, weight.shape)) {
    marks.push({
      op: 'ConvWeightGradient',
      inputs: [gradient.name, map.name],
      outputs: [ofWeight.name, ''],
      attributes,
    });
  }
  return marks;
}
