/** Encoding and decoding whose results stay with the execution provider. */
import type { NativeAbortFlag, NativeDeviceTensor, NativeTensor } from '../../binding/addon.js';
import { VaeError } from '../../core/errors.js';
import { float32ToFloat16 } from '../../core/half.js';
import type { Networks } from '../networks.js';
import type { Port } from '../rows/pieces.js';
import { checkRowShape, type RowReader, type RowsInput } from '../rows/rows.js';
import type { Feeds, GraphSession } from '../sessions/session.js';
import { type DeviceGraphKind, givesData, givesPosterior, posteriorNames, takesLatents } from './device-graphs.js';
import { DeviceTensor } from './device-tensor.js';

export interface DeviceEncoding {
  /** Mean of q(z|x), float32 [N, ...latent]. */
  readonly mean: DeviceTensor;
  /** Natural logarithm of the variance of q(z|x), float32 [N, ...latent]. */
  readonly logVariance: DeviceTensor;
}

export interface DeviceWork {
  readonly networks: Networks;
  readonly session: GraphSession;
  /** Opens a graph beside the model's own for tensors of this rank; kept for as long as the engine is. */
  readonly use: UseGraph;
  readonly flag: NativeAbortFlag | undefined;
  readonly where: string;
}

export type UseGraph = <T>(
  kind: DeviceGraphKind,
  rank: number,
  work: (session: GraphSession) => Promise<T>,
) => Promise<T>;

export async function encodeOnDevice(work: DeviceWork, reader: RowReader): Promise<DeviceEncoding> {
  const { networks, session, flag, use } = work;
  const feeds = { ...(await hostRows(work, networks.encoder, reader)), ...reader.feeds?.(0, reader.rows) };
  const raw = await session.runOnDevice(feeds, posteriorNames(networks), flag);
  if (givesPosterior(networks)) return encodingOf(raw, use);
  try {
    const inputs = Object.fromEntries(raw.map((tensor, index) => [`input${index}`, tensor]));
    const finished = await use('device:posterior', raw[0]!.dims.length, (graph) =>
      graph.runOnDevice(inputs, ['mean', 'log_variance'], flag),
    );
    return encodingOf(finished, use);
  } finally {
    for (const tensor of raw) tensor.dispose();
  }
}

/** @param latents of the provider, or rows that are to go there. */
export async function decodeOnDevice(
  work: DeviceWork,
  latents: DeviceTensor | RowReader,
  others: Feeds | undefined,
): Promise<DeviceTensor> {
  const { networks, session, flag, use, where } = work;
  const { decoder } = networks;
  const made: NativeDeviceTensor[] = [];
  try {
    let given: NativeTensor | NativeDeviceTensor;
    if (latents instanceof DeviceTensor) {
      checkRowShape(latents.dims.slice(1), networks.latentShape, where);
      checkBatch(decoder, latents.dims[0]!, where);
      given = latents.native;
    } else {
      checkBatch(decoder, latents.rows, where);
      given = await latents.read(0, latents.rows);
    }
    if (!takesLatents(networks)) {
      const input = given as NativeDeviceTensor;
      const [ready] = await use('device:latent', given.dims.length, (graph) =>
        graph.runOnDevice({ input }, ['output'], flag),
      );
      made.push(ready!);
      given = ready!;
    }
    const [output] = await session.runOnDevice({ [decoder.input]: given, ...others }, [decoder.output], flag);
    if (givesData(networks)) return deviceTensor(output!, use);
    made.push(output!);
    const [wide] = await use('device:output', output!.dims.length, (graph) =>
      graph.runOnDevice({ input: output! }, ['output'], flag),
    );
    return deviceTensor(wide!, use);
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}

export type DeviceLatents = DeviceTensor | RowsInput;

async function hostRows({ where }: DeviceWork, port: Port, reader: RowReader): Promise<Feeds> {
  checkBatch(port, reader.rows, where);
  const rows = await reader.read(0, reader.rows);
  if (port.dtype === 'float32') return { [port.input]: rows };
  const data = new Uint16Array(rows.data.length);
  float32ToFloat16(rows.data as Float32Array, data);
  return { [port.input]: { dtype: port.dtype, dims: rows.dims, data } };
}

function checkBatch({ batch }: Port, rows: number, where: string): void {
  if (batch === undefined || batch === rows) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: this model's graphs take ${batch} rows at once, received ${rows}; on the device they are not filled up.`,
  );
}

function encodingOf([mean, logVariance]: readonly NativeDeviceTensor[], use: UseGraph): DeviceEncoding {
  return { mean: deviceTensor(mean!, use), logVariance: deviceTensor(logVariance!, use) };
}

function deviceTensor(native: NativeDeviceTensor, use: UseGraph): DeviceTensor {
  return new DeviceTensor(native, (input) =>
    use('device:copy', input.dims.length, (graph) => graph.download({ input }, 'output')),
  );
}
