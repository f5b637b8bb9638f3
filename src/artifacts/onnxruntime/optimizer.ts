/** What optimizer_model.onnx of ONNX Runtime's training tools says: one node, whose attributes are the optimizer. */
import { fromBinary } from '@bufbuild/protobuf';
import { VaeError } from '../../core/errors.js';
import { type ModelProto, ModelProtoSchema, type NodeProto } from '../../graph/proto/onnx_pb.js';
import { scanMessage } from '../../graph/proto/scan.js';
import { type OptimizerConfig, optimizerSchema } from '../optimizer-options.js';

export interface OrtOptimizer {
  readonly optimizer: OptimizerConfig;
  readonly clipGradientNorm: number | undefined;
  /** How many moments a checkpoint has for each parameter. */
  readonly moments: 1 | 2;
}

/** ONNX Runtime's own, until somebody sets another. */
const LEARNING_RATE = 1e-3;

/**
 * Its inputs are sequences of tensors, so that it is no graph that this package could hold; the attributes are all that
 * is wanted.
 *
 * @throws VaeError ERR_VAE_FORMAT for damaged bytes, ERR_VAE_UNSUPPORTED_OPERATOR for another optimizer.
 */
export function readOrtOptimizer(bytes: Uint8Array, what: string, learningRate = LEARNING_RATE): OrtOptimizer {
  scanMessage(ModelProtoSchema, bytes, what);
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${what} is not a valid ONNX file: ${String(cause)}.`, { cause });
  }
  const nodes = (model.graph?.node ?? []).filter(({ opType }) => !PASSIVE.has(opType));
  const clip = nodes.find(({ opType }) => opType === 'InplaceClipGradNorm');
  const [step, ...more] = nodes.filter((node) => node !== clip);
  const name = step?.opType;
  if (step === undefined || more.length > 0 || (name !== 'AdamWOptimizer' && name !== 'SGDOptimizerV2')) {
    const found = nodes.map(({ opType }) => opType.slice(0, 64)).join(', ') || 'nothing';
    throw new VaeError(
      'ERR_VAE_UNSUPPORTED_OPERATOR',
      `${what}: expected AdamWOptimizer or SGDOptimizerV2, the optimizers that ONNX Runtime generates; it holds ${found}.`,
    );
  }
  const options = name === 'SGDOptimizerV2' ? { type: 'sgd' as const } : adamW(step);
  const parsed = optimizerSchema.safeParse({ ...options, learningRate });
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new VaeError('ERR_VAE_FORMAT', `${what}: ${name}, ${path.join('.')}: ${message}.`);
  }
  const limit = clip && float(clip, 'max_norm', 1);
  if (limit !== undefined && !(limit > 0)) {
    throw new VaeError('ERR_VAE_FORMAT', `${what}: InplaceClipGradNorm has max_norm ${limit}; expected more than 0.`);
  }
  return { optimizer: parsed.data, clipGradientNorm: limit, moments: name === 'SGDOptimizerV2' ? 1 : 2 };
}

/** Operators that carry values along. */
const PASSIVE = new Set(['SequenceConstruct', 'SequenceAt', 'Identity', 'Constant']);

/** adam_mode 0 is PyTorch's AdamW, 1 that of Hugging Face's transformers. */
function adamW(node: NodeProto) {
  return {
    type: 'adamw' as const,
    beta1: float(node, 'alpha', 0.9),
    beta2: float(node, 'beta', 0.999),
    epsilon: float(node, 'epsilon', 1e-8),
    weightDecay: float(node, 'weight_decay', 0.01),
    form: int(node, 'adam_mode', 0) === 0 ? ('pytorch' as const) : ('onnxruntime' as const),
    biasCorrection: int(node, 'correct_bias', 1) !== 0,
  };
}

function float(node: NodeProto, name: string, absent: number): number {
  return node.attribute.find((attribute) => attribute.name === name)?.f ?? absent;
}

function int(node: NodeProto, name: string, absent: number): number {
  return Number(node.attribute.find((attribute) => attribute.name === name)?.i ?? absent);
}
