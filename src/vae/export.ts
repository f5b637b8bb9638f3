/** A trained model as plain ONNX files for other runtimes. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STREAMS } from '../binding/streams.js';
import { VaeError } from '../core/errors.js';
import { ioError, type PendingFile, writeFilesAtomically } from '../core/files.js';
import { type Model, readModel, toHalfPrecision, writeModel } from '../graph/index.js';
import type { QuantizationReport } from '../inference/int8/quantization-report.js';
import { normalRows } from '../inference/rows/noise.js';
import type { BatchInput } from '../inference/rows/rows.js';
import { Vae } from './vae.js';

/** One network of an export. */
export interface ExportedNetwork {
  readonly file: string;
  readonly byteLength: number;
  /** −1 on an axis of any length. */
  readonly inputs: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
}

export interface ExportReport {
  readonly precision: 'float32' | 'float16' | 'int8';
  readonly networks: readonly ExportedNetwork[];
  /**
   * Largest and mean difference of what the exported decoder and the model's own make of the same draws from the
   * prior. Absent for models that take labels.
   */
  readonly difference?: { readonly largest: number; readonly mean: number };
  /** For `int8`: what was lost on the calibration data. */
  readonly quantization?: QuantizationReport;
}

interface ExportRequest {
  readonly precision: ExportReport['precision'];
  readonly calibration: BatchInput | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Networks that a model directory may hold. */
const NETWORKS = ['encoder.onnx', 'decoder.onnx', 'prior.onnx'] as const;
const COMPARED_DRAWS = 64;
const DESCRIPTION = 'export.json';

/** See Vae.export(). */
export async function exportModel(vae: Vae, directory: string, options: ExportRequest): Promise<ExportReport> {
  const { precision, signal } = options;
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-export-')).catch((error: unknown) => {
    throw ioError(error, 'making a temporary folder');
  });
  try {
    const quantization = await saveIn(precision, vae, folder, options);
    signal?.throwIfAborted();
    const files: PendingFile[] = [];
    const networks: ExportedNetwork[] = [];
    for (const file of NETWORKS) {
      const original = await readFile(join(folder, file)).catch(() => undefined);
      if (original === undefined) continue;
      const model = precision === 'float16' ? toHalfPrecision(readModel(original)) : readModel(original);
      const bytes = precision === 'float16' ? writeModel(model) : original;
      files.push({ path: join(directory, file), chunks: [bytes] });
      networks.push({ file, byteLength: bytes.byteLength, ...signatureOf(model) });
    }
    const description = { format: 'node-vae.export', version: 1, precision, networks };
    files.push({
      path: join(directory, DESCRIPTION),
      chunks: [Buffer.from(`${JSON.stringify(description, null, 2)}\n`)],
    });
    await writeFilesAtomically(files);
    const difference = await compare(vae, directory, signal);
    return { precision, networks, ...(difference && { difference }), ...(quantization && { quantization }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes the networks as this package has them, in float32 or in integers. */
async function saveIn(
  precision: ExportReport['precision'],
  vae: Vae,
  folder: string,
  { calibration, signal }: ExportRequest,
): Promise<QuantizationReport | undefined> {
  if (precision !== 'int8') {
    await vae.save(folder);
    return undefined;
  }
  if (calibration === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'export(): int8 needs examples to measure the ranges of values on; give { calibration }, a few hundred rows.',
    );
  }
  const { vae: quantized, report } = await vae.quantize(calibration, signal ? { signal } : {});
  await using model = quantized;
  await model.save(folder);
  return report;
}

function signatureOf({ graph }: Model): Pick<ExportedNetwork, 'inputs' | 'outputs'> {
  const described = ({ name, dtype, shape }: Model['graph']['inputs'][number]) => ({
    name,
    dtype,
    shape: (shape ?? []).map((dim) => (typeof dim === 'number' ? dim : -1)),
  });
  return { inputs: graph.inputs.map(described), outputs: graph.outputs.map(described) };
}

/** Decodes the same draws by both decoders. */
async function compare(
  vae: Vae,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<ExportReport['difference']> {
  const { latentShape } = vae;
  if (vae.info.condition !== undefined || latentShape.includes(-1)) return undefined;
  const noise = normalRows(COMPARED_DRAWS, latentShape, 0n, STREAMS.sampling, 0);
  const latents = { data: noise.data as Float32Array, shape: noise.dims };
  const pair = { encoder: join(directory, 'encoder.onnx'), decoder: join(directory, 'decoder.onnx') };
  await using exported = await Vae.load(pair);
  const call = signal ? { signal } : {};
  const [ours, theirs] = [await vae.decode(latents, call), await exported.decode(latents, call)];
  const [left, right] = [ours.data as Float32Array, theirs.data as Float32Array];
  let largest = 0;
  let sum = 0;
  for (let index = 0; index < left.length; index += 1) {
    const distance = Math.abs(left[index]! - right[index]!);
    largest = Math.max(largest, distance);
    sum += distance;
  }
  return { largest, mean: sum / left.length };
}
