/** The page as files for any web server: data beside it, the decoder run in the browser by onnxruntime-web. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { ioError, type PendingFile, writeFilesAtomically } from '../../core/files.js';
import type { RowArray } from '../../data/values.js';
import { stateOf, type Vae } from '../../vae/vae.js';
import { drawPrior } from './draws.js';
import { encodeFrame, type Frame, type FrameArray } from './frames.js';
import { ModelSubject, type ModelSubjectOptions } from './model-subject.js';
import { loadExplorerPackage } from './package.js';
import { readPage } from './page-files.js';

/** What the browser loads of onnxruntime-web: WebAssembly, nothing of WebGPU. */
const RUNTIME = ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'];
/** Rows are left out beyond this: they would take long to load. */
const MOST_ROW_BYTES = 256 * 2 ** 20;
/** Draws of priors that are networks, which a browser cannot draw from. */
const DRAWS = 256;

export interface WrittenPage {
  readonly folder: string;
  readonly files: number;
  readonly bytes: number;
  /** Whether the rows themselves are in it. */
  readonly rows: boolean;
}

/**
 * @throws VaeError ERR_VAE_PACKAGE where node-vae-explorer or onnxruntime-web is not installed, ERR_VAE_OPTION for models
 *   whose decoder is not all there is between latents and rows, ERR_VAE_IO.
 */
export async function writePage(
  folder: string,
  options: ModelSubjectOptions,
  signal: AbortSignal,
): Promise<WrittenPage> {
  const { pageFolder } = await loadExplorerPackage();
  const runtime = runtimeFolder();
  const { vae } = options;
  const { networks } = stateOf(vae).engine;
  if (networks.scaling !== undefined || vae.latentShape.includes(-1)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'Models of any size, and those that scale their latents, cannot be exported as a page.',
    );
  }
  const subject = new ModelSubject(options);
  try {
    await subject.ready(signal);
    const { file, decoder } = await decoderOf(vae, signal);
    const data = subject.data && (await subject.data.toMemory(signal));
    const bytes = data?.memory?.byteLength ?? 0;
    const withRows = data !== undefined && bytes <= MOST_ROW_BYTES;
    const { recipe } = vae;
    const scaling = recipe?.kind === 'array' ? { mean: recipe.mean, deviation: recipe.deviation } : undefined;
    const rowShape = data?.rowShape ?? vae.dataShape;
    const parts: Record<string, Frame> = { latents: await subject.wholeLatents(signal) };
    for (const name of ['map', 'scores']) {
      const part = subject.part(name);
      if (part) parts[name] = part;
    }
    if (withRows)
      parts['rows'] = {
        header: rowScale(data.memory!, networks.bytes, scaling),
        arrays: { rows: data.memory as FrameArray },
      };
    if (subject.holes.length > 0) parts['holes'] = { header: {}, arrays: { latents: subject.holes } };
    if (networks.priorNoise !== undefined) {
      const latents = await drawPrior(vae, DRAWS, { seed: 0, temperature: 1, signal });
      parts['draws'] = { header: {}, arrays: { latents } };
    }
    const manifest = {
      state: subject.state(),
      parts: Object.keys(parts),
      rows: withRows,
      latentShape: vae.latentShape,
      rowShape,
      rowSize: rowShape.reduce((product, side) => product * side, 1),
      decoder,
      ...(scaling && { scaling }),
    };
    const files: PendingFile[] = [
      { path: join(folder, 'data', 'manifest.json'), chunks: [Buffer.from(JSON.stringify(manifest))] },
      { path: join(folder, 'data', decoder.file), chunks: [file] },
      ...Object.entries(parts).map(([name, part]) => ({
        path: join(folder, 'data', `${name}.bin`),
        chunks: [encodeFrame(part)],
      })),
    ];
    for (const [path, page] of await readPage(pageFolder)) {
      if (path === '/') continue;
      files.push({ path: join(folder, path), chunks: [path === '/index.html' ? exported(page.bytes) : page.bytes] });
    }
    for (const name of RUNTIME) {
      const chunk = await readFile(join(runtime, name)).catch((error: unknown) => {
        throw ioError(error, `reading ${name} of onnxruntime-web`);
      });
      files.push({ path: join(folder, 'ort', name), chunks: [chunk] });
    }
    signal.throwIfAborted();
    await writeFilesAtomically(files);
    const total = files.reduce(
      (sum, { chunks }) => sum + [...chunks].reduce((size, chunk) => size + chunk.length, 0),
      0,
    );
    return { folder, files: files.length, bytes: total, rows: withRows };
  } finally {
    await subject.close();
  }
}

/** Tells the page that its answers are files. */
function exported(page: Buffer): Buffer {
  return Buffer.from(page.toString().replace('<head>', '<head>\n<meta name="exported" content="node-vae">'));
}

/** How rows of the data become those that the decoder gives. */
function rowScale(
  rows: RowArray,
  bytes: { readonly scale: number; readonly offset: number },
  scaling: { readonly mean: readonly number[] } | undefined,
): { scale: number; offset: number; scaled: boolean } {
  const scaled = scaling !== undefined;
  return rows instanceof Uint8Array ? { ...bytes, scaled } : { scale: 1, offset: 0, scaled };
}

interface Decoder {
  readonly file: string;
  readonly input: string;
  readonly output: string;
  readonly label?: string;
}

/** The decoder as ONNX, and the names of its inputs and outputs. */
async function decoderOf(vae: Vae, signal: AbortSignal): Promise<{ file: Buffer; decoder: Decoder }> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-page-'));
  try {
    const { networks } = await vae.export(folder, { signal });
    const found = networks.find(({ file }) => file === 'decoder.onnx')!;
    const label = found.inputs.find(({ dtype }) => dtype === 'int64');
    const input = found.inputs.find((one) => one !== label)!;
    return {
      file: await readFile(join(folder, found.file)),
      decoder: {
        file: found.file,
        input: input.name,
        output: found.outputs[0]!.name,
        ...(label && { label: label.name }),
      },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runtimeFolder(): string {
  try {
    // Its package.json is not to be asked for; this is one of the files that are copied.
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-web/wasm'));
  } catch (cause) {
    throw new VaeError(
      'ERR_VAE_PACKAGE',
      'A page that decodes in the browser needs the package onnxruntime-web, which is not installed. Install it: npm install onnxruntime-web',
      { cause },
    );
  }
}
