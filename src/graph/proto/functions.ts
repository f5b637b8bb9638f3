/**
 * Model-local functions, as PyTorch's newer exporter writes them, put in the place of the nodes that
 * call them. Works on the messages, before the graph is made of them.
 */
import { clone, create } from '@bufbuild/protobuf';
import { VaeError } from '../../core/errors.js';
import { printable } from '../external-data.js';
import { UniqueNames } from '../names.js';
import { findOperator } from '../operators/table.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
} from './onnx_pb.js';
import { standardDomain } from './standard-domain.js';

/** Functions that call functions multiply; nothing real comes near this. */
const MAX_NODES = 250_000;
const MAX_DEPTH = 64;

/** Replaces every call of a model-local function by the function's nodes, in place. */
export function inlineFunctions(model: ModelProto, opsets: Map<string, number>): void {
  if (model.functions.length === 0 || model.graph === undefined) return;
  new Inliner(model, opsets).graph(model.graph, 0);
  model.functions = [];
}

class Inliner {
  readonly #functions = new Map<string, FunctionProto>();
  readonly #running = new Set<string>();
  readonly #names = new UniqueNames();
  #count = 0;

  constructor(
    model: ModelProto,
    private readonly opsets: Map<string, number>,
  ) {
    for (const definition of model.functions) {
      const key = keyOf(definition.domain, definition.name, definition.overload);
      if (this.#functions.has(key))
        throw new VaeError('ERR_VAE_GRAPH', `The function ${printable(key)} is defined twice.`);
      this.#functions.set(key, definition);
    }
    collectNames(model.graph!, this.#names);
  }

  graph(graph: GraphProto, depth: number): void {
    graph.node = graph.node.flatMap((node) => this.#node(node, depth));
  }

  #node(node: NodeProto, depth: number): NodeProto[] {
    this.#count += 1;
    if (this.#count > MAX_NODES) {
      throw new VaeError('ERR_VAE_FORMAT', `The model's functions unfold to more than ${MAX_NODES} nodes.`);
    }
    const key = keyOf(node.domain, node.opType, node.overload);
    const definition = this.#functions.get(key);
    if (definition === undefined) {
      for (const attribute of node.attribute) if (attribute.g !== undefined) this.graph(attribute.g, depth);
      return [node];
    }
    if (this.#running.has(key) || depth > MAX_DEPTH) {
      throw new VaeError('ERR_VAE_GRAPH', `The function ${printable(key)} calls itself.`);
    }
    this.#running.add(key);
    const body = this.#expand(node, definition).flatMap((inner) => this.#node(inner, depth + 1));
    this.#running.delete(key);
    return body;
  }

  #expand(call: NodeProto, definition: FunctionProto): NodeProto[] {
    const place = `Node "${printable(call.name || (call.output[0] ?? ''))}", a call of function ${printable(definition.name)}`;
    if (call.input.length > definition.input.length || call.output.length > definition.output.length) {
      throw new VaeError('ERR_VAE_GRAPH', `${place}, has more inputs or outputs than the function.`);
    }
    this.#checkOpsets(definition, place);
    const stem = call.name || call.output.find((name) => name !== '') || definition.name;
    const names = new Map<string, string>();
    definition.input.forEach((formal, index) => {
      names.set(formal, call.input[index] ?? '');
    });
    // An output that is an input as it came needs a node of its own.
    const passed: NodeProto[] = [];
    definition.output.forEach((formal, index) => {
      const actual = call.output[index] ?? '';
      if (actual === '') return;
      if (definition.input.includes(formal)) {
        passed.push(create(NodeProtoSchema, { opType: 'Identity', input: [names.get(formal)!], output: [actual] }));
      } else names.set(formal, actual);
    });
    const attributes = new Map<string, AttributeProto>();
    for (const attribute of definition.attributeProto) attributes.set(attribute.name, attribute);
    for (const attribute of call.attribute) attributes.set(attribute.name, attribute);
    const rename = (name: string): string => {
      if (name === '') return '';
      const known = names.get(name);
      if (known !== undefined) return known;
      const fresh = this.#names.unique(`${stem}/${name}`);
      names.set(name, fresh);
      return fresh;
    };
    const body = definition.node.map((node) => this.#instantiate(node, rename, attributes, stem));
    return [...body, ...passed];
  }

  /** A copy of a node of the function, in the caller's names and with the call's attributes. */
  #instantiate(
    node: NodeProto,
    rename: (name: string) => string,
    attributes: ReadonlyMap<string, AttributeProto>,
    stem: string,
  ): NodeProto {
    return create(NodeProtoSchema, {
      opType: node.opType,
      domain: node.domain,
      overload: node.overload,
      name: node.name === '' ? '' : this.#names.unique(`${stem}/${node.name}`),
      input: node.input.map(rename),
      output: node.output.map(rename),
      attribute: node.attribute.flatMap((attribute) => {
        if (attribute.refAttrName !== '') {
          const given = attributes.get(attribute.refAttrName);
          if (given === undefined) return [];
          return [create(AttributeProtoSchema, { ...given, name: attribute.name })];
        }
        if (attribute.g === undefined) return [attribute];
        const graph = this.#instantiateGraph(attribute.g, rename, attributes, stem);
        return [create(AttributeProtoSchema, { ...attribute, g: graph })];
      }),
    });
  }

  #instantiateGraph(
    graph: GraphProto,
    rename: (name: string) => string,
    attributes: ReadonlyMap<string, AttributeProto>,
    stem: string,
  ): GraphProto {
    const copy = clone(GraphProtoSchema, graph);
    for (const info of [...copy.input, ...copy.output, ...copy.initializer]) info.name = rename(info.name);
    copy.valueInfo = [];
    copy.node = copy.node.map((node) => this.#instantiate(node, rename, attributes, stem));
    return copy;
  }

  /** A function may name other operator sets than the model; its operators must mean the same in both. */
  #checkOpsets(definition: FunctionProto, place: string): void {
    for (const { domain, version } of definition.opsetImport) {
      const name = standardDomain(domain);
      const own = this.opsets.get(name);
      const asked = Number(version);
      if (own === undefined) {
        this.opsets.set(name, asked);
        continue;
      }
      if (own === asked || name !== '') continue;
      for (const node of definition.node) {
        if (standardDomain(node.domain) !== name) continue;
        if (findOperator(node.opType, own) !== findOperator(node.opType, asked)) {
          throw new VaeError(
            'ERR_VAE_GRAPH',
            `${place}, uses ${printable(node.opType)} of opset ${asked} in a model of opset ${own}, where it means something else. ` +
              'Export the model again with one opset, or convert it with onnx.version_converter.',
          );
        }
      }
    }
  }
}

function keyOf(domain: string, name: string, overload: string): string {
  return `${standardDomain(domain)}:${name}:${overload}`;
}

function collectNames(graph: GraphProto, names: UniqueNames): void {
  for (const info of [...graph.input, ...graph.output, ...graph.initializer]) names.claim(info.name);
  for (const node of graph.node) {
    names.claim(node.name);
    for (const name of [...node.input, ...node.output]) names.claim(name);
    for (const { g } of node.attribute) if (g !== undefined) collectNames(g, names);
  }
}
