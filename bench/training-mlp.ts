import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readManifest } from '../src/artifacts/manifest.js';
import { readModel } from '../src/graph/index.js';
import type { History } from '../src/training/progress.js';
import { Vae } from '../src/vae/index.js';
import { GraphTrainer } from './lib/graph-trainer.js';
import { IDX_HEADER, mnistPath, readDigits } from './lib/mnist.js';
import { breakdownTable, byteRows, lastEpochStepMs } from './lib/ours-training.js';
import { profileTables, readProfile } from './lib/profile.js';
import { PyTorchTraining, timingMetrics } from './lib/pytorch.js';
import { alternate } from './lib/rounds.js';
import type { Bench, BenchContext, BenchResult } from './lib/types.js';

const BATCH = 128;
const STEPS = 234;
const OPTIONS = {
  architecture: 'mlp',
  input: { kind: 'vector', length: 784 },
  likelihood: 'bernoulli',
  latentDim: 20,
  seed: 1,
} as const;

/**
 * One training step of the VAE 784-400-20 on MNIST: gather 128 digits, scale, draw noise, forward, backward,
 * Adam. Ours is vae.fit() as users call it, JavaScript included; PyTorch's is the loop its users write.
 */
export const bench: Bench = {
  question: 'How long does a training step of the VAE 784-400-20 take at batch 128, beside PyTorch on the CPU?',
  async run(context): Promise<BenchResult> {
    const data = await byteRows(readDigits(STEPS * BATCH), [784]);
    const torch = await PyTorchTraining.start(
      'training_mlp',
      { data: mnistPath(), skip: IDX_HEADER, shape: [784], hidden: 400, latent: 20, batch: BATCH },
      30,
      context,
    );
    const vae = await Vae.create({ ...OPTIONS, threads: context.threads });
    try {
      let history: History | undefined;
      const round = async (): Promise<number> => {
        history = await vae.fit(data, { epochs: 2, batchSize: BATCH });
        return lastEpochStepMs(history, STEPS);
      };
      const timings = await alternate([{ name: 'node-vae', round }, ...torch.contenders(STEPS)], context);
      const ours = timings['node-vae']!;
      const peers = torch.peers(timings);
      const ratios = Object.entries(peers).map(([peer, { stepMs }]) => [peer, (stepMs as number) / ours.median]);
      return {
        cases: [
          {
            name: `${context.threads} threads`,
            ours: timingMetrics(ours, 'vae.fit()'),
            peers,
            ratios: Object.fromEntries(ratios),
          },
        ],
        missing: torch.missing,
        sections: [
          { title: 'Where the time goes (last round)', table: breakdownTable(history!, 2 * STEPS) },
          ...(torch.contenders(STEPS).length > 0 ? [{ title: 'All variants', table: torch.table(timings) }] : []),
          ...(context.profile ? await profile(vae, context) : []),
        ],
      };
    } finally {
      await torch.close();
      await vae.close();
    }
  },
};

/** ONNX Runtime's own account of the model's training graph; measuring each node slows the whole down. */
async function profile(vae: Vae, { threads }: BenchContext): Promise<BenchResult['sections']> {
  const folder = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
  try {
    await vae.save(join(folder, 'model'), { training: true });
    const trainingModel = readFileSync(join(folder, 'model', 'training', 'training_model.onnx'));
    const manifest = readManifest(readModel(trainingModel), 'training_model.onnx');
    const profilePrefix = join(folder, 'profile');
    const trainer = await GraphTrainer.open({
      trainingModel,
      manifest,
      parameters: Float32Array.from(manifest.parameters.flatMap(({ name }) => [...vae.parameter(name)])),
      dataShape: vae.dataShape,
      latentDim: OPTIONS.latentDim,
      data: readDigits(STEPS * BATCH),
      batch: BATCH,
      threads,
      profilePrefix,
    });
    const steps = 100;
    await trainer.train(steps);
    const [operators, nodes] = profileTables(readProfile(await trainer.endProfiling()), steps);
    await trainer.close();
    return [
      { title: 'By operator, from ONNX Runtime’s profile', table: operators },
      { title: 'The most expensive nodes', table: nodes },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
