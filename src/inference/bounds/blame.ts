/** Which part of a model makes a finite row into what is not. */
import { elementCount } from '../../core/dtype.js';
import { isVaeError } from '../../core/errors.js';
import { GraphBuilder, type Model, writeModel } from '../../graph/index.js';
import type { Networks, SessionKind } from '../networks.js';
import type { RowReader } from '../rows/rows.js';
import { GraphSession } from '../sessions/session.js';

/** e to half of this is where float32 begins to fail a sum of squares. */
const LARGE_LOG_VARIANCE = 80;

/** Where the model turns a finite row into what is not: found by running it on that row with every value shown. */
export async function blame(networks: Networks, reader: RowReader, row: number): Promise<string> {
  try {
    const { encoder, decoder } = networks;
    const given = await reader.read(row, row + 1);
    const feeds = reader.feeds?.(row, row + 1) ?? {};
    const width = elementCount(given.dims);
    const largest = (given.data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (encoder.dtype !== 'float32' || (encoder.batch ?? 1) !== 1) return 'the model makes it so';
    const encoded = await show(networks, 'encoder', { ...feeds, [encoder.input]: given });
    if (encoded.broken !== undefined) return `the encoder's ${encoded.broken}`;
    const { posterior } = encoder;
    const mean = encoded.values.get(posterior.kind === 'pair' ? posterior.mean : posterior.name);
    const spread = posterior.kind === 'pair' ? encoded.values.get(posterior.logVariance) : undefined;
    const most = spread?.reduce((top, value) => Math.max(top, value), Number.NEGATIVE_INFINITY) ?? 0;
    if (most > LARGE_LOG_VARIANCE) {
      const dimension = spread!.indexOf(most);
      return `the encoder gives it a log-variance of ${Number(most.toPrecision(4))} in dimension ${dimension}, whose exponential is too large`;
    }
    if (posterior.kind !== 'moments' && mean !== undefined && !networks.latentShape.includes(-1)) {
      const latent = { dtype: 'float32' as const, dims: [1, ...networks.latentShape], data: mean };
      const decoded = await show(networks, 'decoder', { ...feeds, [decoder.input]: latent });
      if (decoded.broken !== undefined) return `the decoder's ${decoded.broken}`;
    }
    return `its ${width} values reach ${Number(largest.toPrecision(4))}, which is more than the likelihood's terms can hold`;
  } catch (error) {
    // What explains a failure must not hide it.
    if (isVaeError(error)) return 'the model makes it so';
    throw error;
  }
}

type Shown = { readonly broken: string | undefined; readonly values: ReadonlyMap<string, Float32Array> };

/** Runs a network with all its values as outputs: the first that is not finite, by the node that makes it. */
async function show(networks: Networks, kind: SessionKind, feeds: Parameters<GraphSession['run']>[0]): Promise<Shown> {
  const { model, makers } = withAllOutputs(await networks.graph(kind));
  const session = await GraphSession.open(writeModel(model), `Vae's ${kind}`);
  try {
    const names = [...makers.keys()];
    const results = await session.run(
      feeds,
      names.map((name) => ({ name })),
    );
    const values = new Map(names.map((name, index) => [name, results[index]!.data as Float32Array]));
    const name = names.find((each) => !values.get(each)!.every(Number.isFinite));
    const bad = name === undefined ? undefined : values.get(name)!.find((value) => !Number.isFinite(value));
    return { broken: name === undefined ? undefined : `${makers.get(name)} gives ${bad}`, values };
  } finally {
    await session.close();
  }
}

function withAllOutputs(model: Model): { model: Model; makers: ReadonlyMap<string, string> } {
  const g = GraphBuilder.from(model);
  const makers = new Map<string, string>();
  const named = new Set(g.graph.outputs.map(({ name }) => name));
  for (const node of model.graph.nodes) {
    for (const name of node.outputs) {
      if (name === '' || g.value(name).dtype !== 'float32') continue;
      makers.set(name, `layer "${node.name || name}" (${node.op})`);
      if (!named.has(name)) g.output(name, g.value(name));
    }
  }
  return { model: g.model, makers };
}
