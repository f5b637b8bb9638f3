/** The operator test data of the ONNX project, where it is installed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import type { Constant } from '../../src/graph/index.js';
import { TensorProtoSchema } from '../../src/graph/proto/onnx_pb.js';
import { readTensor } from '../../src/graph/proto/read-tensor.js';

/** Where Debian's package `libonnx-testdata` puts it. ONNX_TEST_DATA names another copy. */
const OPERATOR_DATA = path.join(process.env['ONNX_TEST_DATA'] ?? '/usr/share/libonnx-testdata/data', 'node');
export const hasOperatorData = existsSync(OPERATOR_DATA);

export interface OperatorExample {
  readonly inputs: Constant[];
  readonly outputs: Constant[];
}

export function operatorTests(): string[] {
  return readdirSync(OPERATOR_DATA).sort();
}

export function operatorModel(name: string): Uint8Array {
  return readFileSync(path.join(OPERATOR_DATA, name, 'model.onnx'));
}

export function operatorExamples(name: string): OperatorExample[] {
  const folder = path.join(OPERATOR_DATA, name);
  return readdirSync(folder)
    .filter((entry) => entry.startsWith('test_data_set_'))
    .map((set) => ({
      inputs: tensors(path.join(folder, set), 'input'),
      outputs: tensors(path.join(folder, set), 'output'),
    }));
}

function tensors(folder: string, stem: string): Constant[] {
  const result: Constant[] = [];
  for (let index = 0; existsSync(path.join(folder, `${stem}_${index}.pb`)); index += 1) {
    const bytes = new Uint8Array(readFileSync(path.join(folder, `${stem}_${index}.pb`)));
    result.push(readTensor(fromBinary(TensorProtoSchema, bytes), undefined));
  }
  return result;
}

/**
 * Tests that cannot pass, by the reason. Every one of them must go on failing: an entry that has
 * become unnecessary is an error of the suite.
 */
export const SKIPPED: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'operates on sequences, optionals or maps, which graphs here do not have': [
    /^test_identity_(opt|sequence)$/,
    /^test_if_(opt|seq)$/,
    /^test_loop1[36]_seq/,
    /^test_optional_/,
    /^test_sequence_/,
  ],
  'operates on strings as text (StringNormalizer, TfIdfVectorizer)': [/^test_strnormalizer_/, /^test_tfidfvectorizer_/],
  'is of the training domain that ONNX gave up (ai.onnx.preview.training)': [
    /^test_(adagrad|adam|momentum|nesterov_momentum)/,
  ],
  'is in a form that ended before opset 13': [
    'test_dropout_random_old',
    'test_loop11',
    'test_scan_sum',
    'test_scatter_with_axis',
    'test_scatter_without_axis',
    'test_unsqueeze_axis_3',
    'test_upsample_nearest',
  ],
  'draws random numbers, of which each runtime has its own': [/^test_bernoulli/, /^test_training_dropout(?!_zero)/],
  'needs a kernel that ONNX Runtime does not have for this type on the CPU': [
    /^test_bitshift_(left|right)_uint16$/,
    /^test_(max|min)_u?int16$/,
    /^test_pow_types_float32_uint(32|64)$/,
    /^test_(gru|lstm|simple_rnn)_batchwise$/,
  ],
  'writes floats as text, for which ONNX Runtime has digits of its own': [/^test_cast(like)?_FLOAT_to_STRING/],
  'has bfloat16 inputs or outputs, which onnxruntime-node does not take': [
    /^test_cast(like)?_(BFLOAT16_to_FLOAT|FLOAT_to_BFLOAT16)(_expanded)?$/,
  ],
  'ONNX Runtime gives other numbers than the data, with the original file as well': [
    'test_maxunpool_export_with_output_shape',
    'test_resize_downsample_scales_cubic_align_corners',
    'test_resize_downsample_scales_linear_align_corners',
  ],
};

export function skipReason(name: string): string | undefined {
  for (const [reason, patterns] of Object.entries(SKIPPED)) {
    if (patterns.some((pattern) => (typeof pattern === 'string' ? pattern === name : pattern.test(name))))
      return reason;
  }
  return undefined;
}

/**
 * Models that a later operator set changes the meaning of, or that ONNX Runtime has no kernel for there: from which
 * opset, and why. Every entry must go on failing.
 */
export const CHANGED: readonly (readonly [names: RegExp, since: number, reason: string])[] = [
  [/^test_roialign_/, 22, 'ONNX Runtime 1.30 has no kernel for RoiAlign of opset 22'],
];

export function reasonAt(name: string, opset: number): string | undefined {
  return CHANGED.find(([names, since]) => opset >= since && names.test(name))?.[2];
}
