/** Every operator this package knows, by domain, name and version. */
import { VaeError } from '../../core/errors.js';
import { printable } from '../external-data.js';
import { HIGHEST_INPUT_OPSET, LOWEST_INPUT_OPSET } from '../ir.js';
import type { OperatorDefinition } from './definition.js';
import { FAMILIES } from './families.js';

const definitions = new Map<string, OperatorDefinition[]>();

/**
 * Adds an operator, such as a custom one of a domain of your own, so that graphs with it can be built,
 * read and inferred. Running them needs a runtime that has it.
 */
export function registerOperator(definition: OperatorDefinition): void {
  const key = keyOf(definition.name, definition.domain ?? '');
  const versions = definitions.get(key);
  if (versions === undefined) {
    definitions.set(key, [definition]);
    return;
  }
  if (versions.some(({ since }) => since === definition.since)) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The operator ${describeOperator(definition.name, definition.domain)} is registered already.`,
    );
  }
  versions.push(definition);
  versions.sort((a, b) => b.since - a.since);
}

/** The form an operator has in an operator set, or undefined where it has none. */
export function findOperator(name: string, opset: number, domain = ''): OperatorDefinition | undefined {
  return definitions.get(keyOf(name, domain))?.find(({ since }) => since <= opset);
}

/** Names of the operators of a domain, in all versions. */
export function operatorNames(domain = ''): string[] {
  const prefix = `${domain}:`;
  return [...definitions.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}

/** The forms of one operator, newest first. */
function operatorVersions(name: string, domain = ''): readonly OperatorDefinition[] {
  return definitions.get(keyOf(name, domain)) ?? [];
}

/** The error for an operator that the table does not have, or not in this operator set. */
export function unsupportedOperator(name: string, domain: string, opset: number, node = ''): VaeError {
  const versions = operatorVersions(name, domain);
  const earliest = versions[versions.length - 1]?.since;
  const reason =
    earliest === undefined ? 'is not known' : `came with opset ${earliest}; raise the model's opset to use it`;
  const place = node === '' ? '' : ` at node "${printable(node)}"`;
  return new VaeError(
    'ERR_VAE_UNSUPPORTED_OPERATOR',
    `Operator ${describeOperator(name, domain)} of opset ${opset}${place} ${reason}. ` +
      `Known are the tensor operators of the standard ONNX domain, opsets ${LOWEST_INPUT_OPSET} to ${HIGHEST_INPUT_OPSET}, ` +
      'and what registerOperator() added.',
  );
}

/** Name and domain as text. */
export function describeOperator(name: string, domain = ''): string {
  return domain === '' ? printable(name) : `${printable(domain)}.${printable(name)}`;
}

function keyOf(name: string, domain: string): string {
  return `${domain}:${name}`;
}

for (const family of FAMILIES) for (const definition of family) registerOperator(definition);
