/** Attributes given as plain JavaScript values, encoded by the kinds that the operator table declares. */
import type { DataType } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { Attribute, AttributeKind, Attributes, Constant, Graph } from '../ir.js';
import { dataTypeCode } from '../proto/data-types.js';
import type { OperatorDefinition } from './definition.js';
import { findOperator, unsupportedOperator } from './table.js';

/**
 * A plain value for an attribute: numbers (and booleans, as 0 and 1), text, lists of them, a constant
 * tensor or a graph. Where ONNX wants the number of a data type (`to`, `dtype`, …) its name will do.
 * An Attribute is taken as it is; undefined leaves the attribute out.
 */
export type AttributeInput =
  | number
  | boolean
  | string
  | readonly number[]
  | readonly string[]
  | Constant
  | Graph
  | Attribute
  | undefined;

/** Encodes and checks the attributes of one node that is being built. */
export function encodeAttributes(
  op: string,
  inputs: Readonly<Record<string, AttributeInput>>,
  opset: number,
  domain = '',
): Attributes {
  const definition = findOperator(op, opset, domain);
  if (definition === undefined) throw unsupportedOperator(op, domain, opset);
  const attributes: Record<string, Attribute> = {};
  for (const name of Object.keys(inputs)) {
    const input = inputs[name];
    if (input === undefined) continue;
    const kind = attributeKind(definition, name);
    if (kind === undefined) {
      const known = Object.keys(definition.attributes).join(', ') || 'none';
      throw new VaeError('ERR_VAE_GRAPH', `${op} of opset ${opset} has no attribute "${name}"; it has: ${known}.`);
    }
    attributes[name] = encodeOne(op, name, kind, input);
  }
  return attributes;
}

/** The declared kind of an attribute; undefined where the operator has none of that name. */
export function attributeKind(definition: OperatorDefinition, name: string): AttributeKind | undefined {
  if (!Object.hasOwn(definition.attributes, name)) return undefined;
  const declared = definition.attributes[name]!;
  return typeof declared === 'string' ? declared : declared.kind;
}

function encodeOne(op: string, name: string, kind: AttributeKind, input: NonNullable<AttributeInput>): Attribute {
  if (typeof input === 'object' && 'kind' in input && 'value' in input) {
    if (input.kind !== kind) refuse(op, name, kind, input);
    return input;
  }
  switch (kind) {
    case 'int': {
      const value =
        typeof input === 'boolean'
          ? Number(input)
          : typeof input === 'string'
            ? dataTypeCode(input as DataType)
            : input;
      if (typeof value !== 'number' || !Number.isInteger(value)) refuse(op, name, kind, input);
      return { kind, value: value as number };
    }
    case 'float':
      if (typeof input !== 'number') refuse(op, name, kind, input);
      return { kind, value: Math.fround(input as number) };
    case 'string':
      if (typeof input !== 'string') refuse(op, name, kind, input);
      return { kind, value: input as string };
    case 'ints':
      if (!isListOf(input, Number.isInteger)) refuse(op, name, kind, input);
      return { kind, value: [...(input as readonly number[])] };
    case 'floats':
      if (!isListOf(input, (element) => typeof element === 'number')) refuse(op, name, kind, input);
      return { kind, value: (input as readonly number[]).map(Math.fround) };
    case 'strings':
      if (!isListOf(input, (element) => typeof element === 'string')) refuse(op, name, kind, input);
      return { kind, value: [...(input as readonly string[])] };
    case 'tensor':
      if (typeof input !== 'object' || !('dims' in input)) refuse(op, name, kind, input);
      return { kind, value: input as Constant };
    case 'graph':
      if (typeof input !== 'object' || !('nodes' in input)) refuse(op, name, kind, input);
      return { kind, value: input as Graph };
  }
}

function isListOf(input: unknown, test: (element: unknown) => boolean): boolean {
  return Array.isArray(input) && input.every(test);
}

function refuse(op: string, name: string, kind: AttributeKind, input: unknown): never {
  const shown = typeof input === 'object' ? JSON.stringify(input)?.slice(0, 80) : String(input);
  throw new VaeError('ERR_VAE_GRAPH', `${op}: attribute "${name}" is of kind ${kind} and was given ${shown}.`);
}
