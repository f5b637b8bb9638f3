/** Which rule differentiates which operator. */
import { VaeError } from '../core/errors.js';
import type { Value } from '../graph/builder.js';
import type { Node } from '../graph/ir.js';
import type { GradientContext } from './context.js';

/**
 * Gradients of a node's inputs, in their order, given those of its outputs (see GradientContext).
 * `undefined` for an input that needs none (`context.needs(index)` is false). A gradient has the
 * data type of its input and either its shape or one that broadcasts to it.
 */
export type GradientRule = (context: GradientContext) => readonly (Value | undefined)[];

/**
 * Replaces a forward node by others of the same meaning before anything is differentiated, so that
 * backward finds the intermediate results that the one node keeps to itself. `undefined` leaves the
 * node as it is.
 */
export type Expansion = (context: GradientContext) => Expanded | undefined;

export interface Expanded {
  /** Values of the node's outputs. */
  readonly outputs: readonly (Value | undefined)[];
  /**
   * The gradient of the replaced node as a whole, which may read values made in its place; without
   * it the new nodes are differentiated one by one.
   */
  readonly gradient?: GradientRule;
}

/** How one operator is differentiated. */
export type GradientEntry =
  | { readonly kind: 'rule'; readonly rule: GradientRule }
  /** Rewritten before differentiation; the rule serves where the expansion declines. */
  | { readonly kind: 'expansion'; readonly expand: Expansion; readonly rule?: GradientRule }
  /** Piecewise constant, or of integer results: nothing flows back through it. */
  | { readonly kind: 'none' }
  /** Has a gradient that this package does not compute; `reason` says what to do instead. */
  | { readonly kind: 'refused'; readonly reason: string };

export type GradientTable = Readonly<Record<string, GradientEntry>>;

export function rule(function_: GradientRule): GradientEntry {
  return { kind: 'rule', rule: function_ };
}

export function expansion(expand: Expansion, fallback?: GradientRule): GradientEntry {
  return fallback === undefined ? { kind: 'expansion', expand } : { kind: 'expansion', expand, rule: fallback };
}

const entries = new Map<string, GradientEntry>();

function keyOf(op: string, domain: string): string {
  // The two spellings of the standard domain are one.
  return domain === '' || domain === 'ai.onnx' ? op : `${domain}:${op}`;
}

/** Adds the operators of a table of the standard domain. Each may stand in one table only. */
export function addToRegistry(table: GradientTable): void {
  for (const [op, entry] of Object.entries(table)) {
    if (entries.has(op))
      throw new VaeError('ERR_VAE_GRAPH', `Operator ${op} has two entries in the gradient registry.`);
    entries.set(op, entry);
  }
}

/** The entry of an operator; undefined for one that nobody has said anything about. */
export function gradientEntry(op: string, domain = ''): GradientEntry | undefined {
  return entries.get(keyOf(op, domain));
}

/** Names of the operators that the registry knows, of the standard domain. */
export function registeredOperators(): string[] {
  return [...entries.keys()];
}

/**
 * Registers a rule of your own, for an operator of another domain or in place of one of ours.
 *
 * @param op the operator's ONNX name.
 * @param gradient its rule, or `'none'` to declare that nothing flows back through it.
 * @param domain the operator's domain; '' is the standard one.
 * @returns a function that takes the registration back.
 */
export function registerGradient(op: string, gradient: GradientRule | 'none', domain = ''): () => void {
  if (typeof op !== 'string' || op === '') {
    throw new VaeError('ERR_VAE_OPTION', `registerGradient expected an operator's name and received ${String(op)}.`);
  }
  if (gradient !== 'none' && typeof gradient !== 'function') {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `registerGradient expected a rule or 'none' for ${op} and received ${typeof gradient}.`,
    );
  }
  const key = keyOf(op, domain);
  const earlier = entries.get(key);
  entries.set(key, gradient === 'none' ? { kind: 'none' } : rule(gradient));
  return () => {
    if (earlier === undefined) entries.delete(key);
    else entries.set(key, earlier);
  };
}

/** The error for a node on the way from a parameter to the loss that cannot be differentiated. */
export function noGradient(node: Node, opset: number, entry: GradientEntry | undefined): VaeError {
  const name = node.domain === '' ? node.op : `${node.domain}:${node.op}`;
  const where = `node "${node.name}" (${name}, opset ${opset}), which makes ${node.outputs.filter((output) => output !== '').join(', ')}`;
  const remedy =
    entry?.kind === 'refused'
      ? entry.reason
      : `Give it a rule with registerGradient('${node.op}', rule${node.domain === '' ? '' : `, '${node.domain}'`}) of node-vae/grad; docs/guides/operator-rule.md shows how.`;
  return new VaeError(
    'ERR_VAE_UNSUPPORTED_OPERATOR',
    `Operator ${name} has no gradient rule, and the loss depends on a parameter through ${where}. ${remedy}`,
  );
}
