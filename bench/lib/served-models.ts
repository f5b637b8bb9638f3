/** The models that the serving bench asks for, with their encoders in onnxruntime-node. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { shippedModels, Vae } from '../../src/index.js';

export interface ServedModel {
  readonly name: string;
  readonly vae: Vae;
  readonly encoder: InferenceSession;
  /** Name of the encoder's input. */
  readonly input: string;
  close(): Promise<void>;
}

const MLP = 'mnist-mlp';

export async function servedModels(log: (text: string) => void): Promise<ServedModel[]> {
  const input = { kind: 'image', height: 28, width: 28, channels: 1 } as const;
  const shipped = (await shippedModels()).includes(MLP);
  if (!shipped) log(`${MLP} is not among the models; its untrained likeness takes its place`);
  const mlp = shipped ? await Vae.load(MLP) : await Vae.create({ input, architecture: 'mlp', latentDim: 20 });
  const conv = await Vae.create({ input, architecture: 'conv', latentDim: 32 });
  return [await serve(MLP, mlp), await serve('conv', conv)];
}

/** Saves the model, so that both sides run the files that users get. */
async function serve(name: string, vae: Vae): Promise<ServedModel> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
  try {
    await vae.save(folder);
    const encoder = await InferenceSession.create(await readFile(join(folder, 'encoder.onnx')));
    return {
      name,
      vae,
      encoder,
      input: encoder.inputNames[0]!,
      async close() {
        await vae.close();
        await encoder.release();
      },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
