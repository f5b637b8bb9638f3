/**
 * ONNX graphs: build, read, check and write them. Needs neither the addon nor ONNX Runtime.
 *
 * @module node-vae/graph
 */
export type { DataType, TypedArray } from '../core/dtype.js';
export { type BuilderOptions, GraphBuilder, type NodeOptions, type Value } from './builder.js';
export { type ConstantData, constantOf, numbersOf, readConstant } from './constants.js';
export type {
  Attribute,
  AttributeKind,
  Attributes,
  Constant,
  Dim,
  ExternalData,
  Graph,
  Model,
  Node,
  Shape,
  TensorType,
  ValueInfo,
} from './ir.js';
export type { AttributeInput } from './operators/attributes.js';
export type { InferenceContext, KnownElements, OperatorDefinition } from './operators/definition.js';
export { registerOperator } from './operators/table.js';
export {
  type FoldOptions,
  foldConstants,
  mergeCommonSubexpressions,
  removeDeadNodes,
  removeIdentities,
  simplifyModel,
  specializeDims,
  toHalfPrecision,
} from './passes/index.js';
export { type ReadModelOptions, readModel } from './proto/load.js';
export { type WriteModelOptions, writeModel } from './proto/save.js';
export { verifyModel } from './verify.js';
