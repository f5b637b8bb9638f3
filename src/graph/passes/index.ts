/** Makes graphs smaller without changing what they compute. */
import type { Model } from '../ir.js';
import { mergeCommonSubexpressions } from './common-subexpressions.js';
import { removeDeadNodes } from './dead-nodes.js';
import { type FoldOptions, foldConstants } from './fold.js';
import { removeIdentities } from './identities.js';

export { mergeCommonSubexpressions } from './common-subexpressions.js';
export { removeDeadNodes } from './dead-nodes.js';
export { type FoldOptions, foldConstants } from './fold.js';
export { toHalfPrecision } from './half-precision.js';
export { removeIdentities } from './identities.js';
export { specializeDims } from './specialize.js';

/** All passes in the order that lets each find what the ones before it uncovered; in place. */
export function simplifyModel(model: Model, options: FoldOptions = {}): void {
  removeIdentities(model);
  foldConstants(model, options);
  removeDeadNodes(model);
  mergeCommonSubexpressions(model);
  removeDeadNodes(model);
}
