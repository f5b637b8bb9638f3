/** Arithmetic on elements that are known while types are inferred: the heart of shape arithmetic. */
import type { DataType } from '../../core/dtype.js';
import type { Dim } from '../ir.js';
import type { InferenceContext, KnownElements } from './definition.js';

type Element = Dim | undefined;

/** A number as this type holds it; undefined where the type cannot hold it or rounding is not ours to do. */
export function asType(value: number, dtype: DataType): number | undefined {
  switch (dtype) {
    case 'float64':
      return value;
    case 'float32':
      return Math.fround(value);
    case 'bool':
      return value === 0 ? 0 : 1;
    case 'int64':
      // Integers have no minus zero.
      return Number.isSafeInteger(value) ? value + 0 : undefined;
    case 'int32':
      return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? value + 0 : undefined;
    default:
      return undefined;
  }
}

/** Applies a function to every element; symbols stay unknown unless the rule for them says otherwise. */
export function mapElements(
  context: InferenceContext,
  onNumber: (value: number) => number | undefined,
  onSymbol: (symbol: string) => Element = () => undefined,
): KnownElements | undefined {
  const elements = context.elements(0);
  const { dtype } = context.input(0);
  return elements?.map((element) => {
    if (element === undefined) return undefined;
    if (typeof element === 'string') return onSymbol(element);
    const value = onNumber(element);
    return value === undefined ? undefined : asType(value, dtype);
  });
}

/** Applies a function to the elements of two inputs, broadcasting a single one. */
export function zipElements(
  context: InferenceContext,
  operation: (left: Element, right: Element) => Element,
): KnownElements | undefined {
  const lists = alignedElements(context, [0, 1]);
  return lists && zipLists(lists[0]!, lists[1]!, operation);
}

/**
 * Elements of several inputs that can be gone through side by side: all of one shape, or a single
 * element. Undefined where some are not known or broadcasting would have to repeat rows.
 */
export function alignedElements(context: InferenceContext, indices: readonly number[]): KnownElements[] | undefined {
  const lists: KnownElements[] = [];
  let common: string | undefined;
  for (const index of indices) {
    const elements = context.elements(index);
    if (elements === undefined) return undefined;
    lists.push(elements);
    if (elements.length === 1) continue;
    const shape = context.shape(index)?.join(',');
    if (common !== undefined && shape !== common) return undefined;
    common = shape;
  }
  return lists;
}

/** Goes through two aligned lists. */
export function zipLists(
  a: KnownElements,
  b: KnownElements,
  operation: (left: Element, right: Element) => Element,
): KnownElements {
  const length = a.length === 1 ? b.length : a.length;
  return Array.from({ length }, (_, index) => operation(at(a, index), at(b, index)));
}

/** An element of a list in which a single one stands for all. */
export function at(list: KnownElements, index: number): Element {
  return list[list.length === 1 ? 0 : index];
}

/** An operation on numbers of one type, with a rule of its own for symbols. */
export function numeric(
  dtype: DataType,
  onNumbers: (left: number, right: number) => number | undefined,
  onSymbols: (left: Dim, right: Dim) => Element = () => undefined,
): (left: Element, right: Element) => Element {
  return (left, right) => {
    if (left === undefined || right === undefined) return undefined;
    if (typeof left === 'number' && typeof right === 'number') {
      const value = onNumbers(left, right);
      return value === undefined ? undefined : asType(value, dtype);
    }
    // A symbol is a whole number; against a fraction nothing can be said.
    if (typeof left === 'number' && !Number.isInteger(left)) return undefined;
    if (typeof right === 'number' && !Number.isInteger(right)) return undefined;
    return onSymbols(left, right);
  };
}
