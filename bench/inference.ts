import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { NativeTensor } from '../src/binding/index.js';
import { GraphSession } from '../src/inference/sessions/session.js';
import { Vae } from '../src/vae/index.js';
import { measureLatency } from './lib/latency.js';
import { readDigits } from './lib/mnist.js';
import { figure } from './lib/report.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const LATENT_DIM = 20;
const BATCHES = [1, 16, 128, 1024];
const PEER = 'onnxruntime-node';

/** One direction of the model: its graph on three sides. */
interface Direction {
  readonly name: string;
  readonly model: Uint8Array;
  readonly input: string;
  readonly outputs: readonly string[];
  /** One row of the input. */
  readonly rowShape: readonly number[];
  /** The same through the public API. */
  call(vae: Vae, batch: Tensor): Promise<unknown>;
}

/**
 * Encode and decode of the VAE 784-400-20 beside onnxruntime-node on the same graphs, default threads: `api` is
 * vae.encode() and vae.decode() with all their checks, `session` the inference session below them.
 */
export const bench: Bench = {
  question: 'How long does encoding or decoding a batch take, beside onnxruntime-node on the same graph?',
  async run(context): Promise<BenchResult> {
    const vae = await Vae.create({
      architecture: 'mlp',
      input: { kind: 'image', height: 28, width: 28, channels: 1 },
      latentDim: LATENT_DIM,
    });
    try {
      const cases: BenchCase[] = [];
      for (const direction of await directions(vae)) cases.push(...(await measure(vae, direction, context)));
      return { cases, missing: {}, sections: [] };
    } finally {
      await vae.close();
    }
  },
};

/** Saves the model, so that all sides run the very files that users get. */
async function directions(vae: Vae): Promise<Direction[]> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
  try {
    await vae.save(join(folder, 'model'));
    const read = (file: string): Uint8Array => readFileSync(join(folder, 'model', file));
    return [
      {
        name: 'encode',
        model: read('encoder.onnx'),
        input: 'input',
        outputs: ['mean', 'log_variance'],
        rowShape: vae.dataShape,
        call: (model, batch) => model.encode(batch),
      },
      {
        name: 'decode',
        model: read('decoder.onnx'),
        input: 'latent',
        outputs: ['output'],
        rowShape: [LATENT_DIM],
        call: (model, batch) => model.decode(batch),
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(vae: Vae, direction: Direction, { rounds, log }: BenchContext): Promise<BenchCase[]> {
  const session = await GraphSession.open(direction.model, direction.name);
  const peer = await InferenceSession.create(direction.model);
  const cases: BenchCase[] = [];
  try {
    for (const batch of BATCHES) {
      for (const entry of await measureBatch(vae, session, peer, direction, batch, rounds)) {
        cases.push(entry);
        log(`${entry.name}: ${figure(entry.ours['p50Us'] as number)} µs, ${figure(entry.ratios[PEER]!)} times ${PEER}`);
      }
    }
  } finally {
    await session.close();
    await peer.release();
  }
  return cases;
}

async function measureBatch(
  vae: Vae,
  session: GraphSession,
  peer: InferenceSession,
  direction: Direction,
  batch: number,
  rounds: number,
): Promise<BenchCase[]> {
  const { input, outputs, rowShape } = direction;
  const dims = [batch, ...rowShape];
  const width = rowShape.reduce((product, dim) => product * dim, 1);
  const digits = readDigits(batch);
  // Digits for the encoder; the decoder takes any numbers about as large as latents.
  const data = Float32Array.from({ length: batch * width }, (_, i) => digits[i % digits.length]! / 255);
  const tensor = new Tensor('float32', data, dims);
  const feeds = { [input]: { dtype: 'float32' as const, dims, data } };
  const wanted = outputs.map((name) => ({ name }));
  const peerFeeds = { [input]: tensor };

  checkAlike(await session.run(feeds, wanted), await peer.run(peerFeeds), outputs);
  const latency = await measureLatency(
    [
      { name: 'api', call: () => direction.call(vae, tensor) },
      { name: PEER, call: () => peer.run(peerFeeds) },
      { name: 'session', call: () => session.run(feeds, wanted) },
    ],
    rounds,
  );
  const other = latency[PEER]!;
  return (['api', 'session'] as const).map((side) => ({
    name: `${direction.name} ${batch} ${side}`,
    ours: { ...latency[side]! },
    peers: { [PEER]: { ...other } },
    ratios: { [PEER]: other.p50Us / latency[side]!.p50Us },
  }));
}

/** Both sides must have computed the same before their speed means anything. */
function checkAlike(
  ours: readonly NativeTensor[],
  theirs: InferenceSession.OnnxValueMapType,
  outputs: readonly string[],
): void {
  for (const [index, name] of outputs.entries()) {
    const mine = ours[index]!.data as Float32Array;
    const other = (theirs[name] as Tensor).data as Float32Array;
    const far = mine.findIndex((value, i) => !(Math.abs(value - other[i]!) <= 1e-4));
    if (mine.length !== other.length || far >= 0) {
      throw new Error(`${name}: element ${far} is ${mine[far]}, ${PEER} computes ${other[far]}`);
    }
  }
}
