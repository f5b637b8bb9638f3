/** Reads ONNX files into checked, inferred models. */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { refusePointer } from '../../core/lfs.js';
import { inferModel } from '../infer/infer-model.js';
import { type Graph, type Model, WORKING_OPSET } from '../ir.js';
import { liftConstants } from '../passes/lift-constants.js';
import { topologicalOrder } from '../topological-order.js';
import { upgradeModel } from '../upgrade.js';
import { verifyModel } from '../verify.js';
import { type DecodedModel, decodeModel } from './read.js';

export interface ReadModelOptions {
  /** Folder that external data lie in; for a path, the file's own folder. */
  readonly folder?: string;
  /** Leaves opsets 13 to 17 as they are, for what is to be written back in them. Default false: they are raised to 18. */
  readonly keepOpset?: boolean;
}

/**
 * Reads an ONNX model of opset 13 to 26 from its bytes, or from a file (then asynchronously).
 *
 * Model-local functions are put in place of their calls, Constant nodes become initializers, an If
 * with a known condition gives way to the branch that runs, opsets below 18 are raised to 18, nodes
 * are put in order, and the type of every value is inferred. Tensor bytes are borrowed from `source`,
 * which must not change afterwards; external data stay in their files until they are needed.
 *
 * @throws VaeError ERR_VAE_FORMAT for damaged or hostile bytes, ERR_VAE_GRAPH and ERR_VAE_SHAPE for a
 * graph that is not valid, ERR_VAE_UNSUPPORTED_OPERATOR naming operator, domain, opset and node,
 * ERR_VAE_IO where a file cannot be read.
 */
export function readModel(source: Uint8Array, options?: ReadModelOptions): Model;
export function readModel(source: string, options?: ReadModelOptions): Promise<Model>;
export function readModel(source: Uint8Array | string, options: ReadModelOptions = {}): Model | Promise<Model> {
  if (typeof source === 'string') return readFromFile(source, options);
  if (!(source instanceof Uint8Array)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'readModel takes the bytes of a model as a Uint8Array, or the path of a file.',
    );
  }
  return importModel(source, options.folder, 'The model', options);
}

async function readFromFile(file: string, options: ReadModelOptions): Promise<Model> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    // readFile refuses such sizes with a message that names no remedy.
    if (size >= 2 ** 31)
      throw new VaeError('ERR_VAE_FORMAT', `"${file}" is larger than 2 GB, which no ONNX file may be.`);
    bytes = await readFile(file);
  } catch (error) {
    throw ioError(error, `reading the model "${file}"`);
  }
  return importModel(bytes, options.folder ?? path.dirname(path.resolve(file)), `"${file}"`, options);
}

function importModel(
  bytes: Uint8Array,
  folder: string | undefined,
  what: string,
  { keepOpset = false }: ReadModelOptions,
): Model {
  refusePointer(bytes, what);
  return prepareModel(decodeModel(bytes, folder, what), keepOpset ? 0 : WORKING_OPSET);
}

/** Brings a decoded model into the form that the rest of the package works on, of at least the given opset. */
export function prepareModel({ model, declared }: DecodedModel, opset = WORKING_OPSET): Model {
  upgradeModel(model, opset);
  liftConstants(model);
  model.graph.nodes = topologicalOrder(model.graph);
  inferModel(model, declared);
  verifyModel(model);
  dropUnusedDomains(model);
  return model;
}

/** Functions that were put in the place of their calls leave the names of their domains behind. */
function dropUnusedDomains(model: Model): void {
  const used = new Set(['']);
  const visit = (graph: Graph): void => {
    for (const node of graph.nodes) {
      used.add(node.domain);
      for (const attribute of Object.values(node.attributes)) if (attribute.kind === 'graph') visit(attribute.value);
    }
  };
  visit(model.graph);
  for (const domain of model.opsets.keys()) if (!used.has(domain)) model.opsets.delete(domain);
}
