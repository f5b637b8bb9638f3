/** Training sessions of the nets of nets.ts. */
import { generateArtifacts } from '../../src/artifacts/generate.js';
import { withNativeKernels } from '../../src/artifacts/native-kernels.js';
import { writeModel } from '../../src/graph/index.js';
import { GraphTrainer } from './graph-trainer.js';
import { NETS, type NetName } from './nets.js';

/** Adam as the peers have it. */
const ADAM = {
  type: 'adam',
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
} as const;

/** Opens a trainer of a net on rows of bytes. */
export function openNet(
  name: NetName,
  options: {
    readonly data: Uint8Array;
    readonly batch: number;
    readonly threads: number;
    readonly profilePrefix?: string;
    /** Runs the graph as it is written to files, without native kernels. */
    readonly standard?: boolean;
  },
): Promise<GraphTrainer> {
  const { standard = false } = options;
  const { objective, parameters: trainable, dataShape, latentDim } = NETS[name]();
  const scalars = ['loss', 'reconstruction', 'kl'];
  const { trainingModel, manifest, checkpoint } = generateArtifacts({
    model: objective,
    trainable,
    scalars,
    optimizer: ADAM,
  });
  const { parameters } = checkpoint;
  return GraphTrainer.open({
    ...options,
    trainingModel: writeModel(standard ? trainingModel : withNativeKernels(trainingModel)),
    manifest,
    parameters,
    dataShape,
    latentDim,
  });
}
