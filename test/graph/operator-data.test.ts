import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { isVaeError } from '../../src/core/errors.js';
import { type Constant, type Model, numbersOf, readConstant } from '../../src/graph/index.js';
import { HIGHEST_INPUT_OPSET, LOWEST_INPUT_OPSET } from '../../src/graph/ir.js';
import { operatorNames } from '../../src/graph/operators/table.js';
import { prepareModel } from '../../src/graph/proto/load.js';
import { decodeModel } from '../../src/graph/proto/read.js';
import {
  CHANGED,
  hasOperatorData,
  operatorExamples,
  operatorModel,
  operatorTests,
  reasonAt,
  SKIPPED,
  skipReason,
} from './operator-data.js';
import { run } from './support.js';

/** Transforms of numbers up to 5,000, where rounding is relative to the largest. */
const LARGE_SUMS = /^test_(dft|stft)/;

interface Loaded {
  readonly model: Model;
  /** Outputs as the file declares them. */
  readonly declared: Model['graph']['outputs'];
}

/** Reads a model through the whole import; types come from our inference alone. */
function load(name: string, opset?: number): Loaded {
  const decoded = decodeModel(operatorModel(name), undefined, name);
  const declared = [...decoded.model.graph.outputs];
  decoded.declared.clear();
  // Each model is of the opset that brought its operator; older forms are those of opset 13.
  const own = decoded.model.opsets.get('');
  if (own !== undefined && own < 13) decoded.model.opsets.set('', 13);
  return { model: prepareModel(decoded, opset), declared };
}

/** The opset that a model of the data is read in. */
function opsetOf(name: string): number {
  return Math.max(13, decodeModel(operatorModel(name), undefined, name).model.opsets.get('') ?? 0);
}

function tensorOf(constant: Constant): ort.Tensor {
  const { dtype, dims, strings } = constant;
  if (dtype === 'string') return new ort.Tensor('string', [...strings!], dims);
  return new ort.Tensor(dtype as 'float32', readConstant(constant) as Float32Array, dims);
}

/** How far the worst element lies outside the tolerance; at most 1 passes. */
function excess(name: string, got: ort.Tensor, wanted: Constant): number {
  if (wanted.dtype === 'string')
    return (got.data as string[]).every((text, index) => text === wanted.strings![index]) ? 0 : Infinity;
  const bytes = got.data as Float32Array;
  const found = numbersOf({ ...wanted, data: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) });
  const expected = numbersOf(wanted);
  const absolute = LARGE_SUMS.test(name) ? 1e-6 * Math.max(1, ...expected.map(Math.abs)) : 1e-5;
  let worst = 0;
  expected.forEach((value, index) => {
    if (Object.is(found[index], value) || found[index] === value) return;
    const error = Math.abs(found[index]! - value) / (absolute + 1e-3 * Math.abs(value));
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  });
  return worst;
}

/** What differs between a model's results after reading and writing and the shipped ones. */
async function differences(name: string, { model }: Loaded): Promise<string[]> {
  const wrong: string[] = [];
  for (const { inputs, outputs } of operatorExamples(name)) {
    const feeds = Object.fromEntries(model.graph.inputs.map((input, index) => [input.name, tensorOf(inputs[index]!)]));
    const results = await run(model, feeds);
    model.graph.outputs.forEach((output, index) => {
      const wanted = outputs[index]!;
      const got = results[output.name]!;
      if (got.dims.join() !== wanted.dims.join())
        wrong.push(`${output.name} has shape [${got.dims}], not [${wanted.dims}]`);
      else if (excess(name, got, wanted) > 1)
        wrong.push(`${output.name} differs by ${excess(name, got, wanted)} tolerances`);
    });
  }
  return wrong;
}

/** Conflicts between inferred and declared outputs. */
function conflicts({ model, declared }: Loaded): string[] {
  return model.graph.outputs.flatMap((output, index) => {
    const wanted = declared[index]!;
    if (output.dtype !== wanted.dtype) return [`${output.name} is ${output.dtype}, not ${wanted.dtype}`];
    const { shape } = output;
    if (shape === undefined || wanted.shape === undefined) return [];
    const fits =
      shape.length === wanted.shape.length &&
      shape.every(
        (dim, axis) =>
          typeof dim === 'string' || typeof wanted.shape![axis] === 'string' || dim === wanted.shape![axis],
      );
    return fits ? [] : [`${output.name} is [${shape}], not [${wanted.shape}]`];
  });
}

const names = hasOperatorData ? operatorTests() : [];
const covered = new Set<string>();

describe.skipIf(!hasOperatorData)('operator test data of the ONNX project (Debian package libonnx-testdata)', () => {
  const wanted = names.filter((name) => skipReason(name) === undefined);
  // One test for each letter group keeps the report short; a failure lists the models by name.
  const groups = new Map<string, string[]>();
  for (const name of wanted) {
    const group = name.slice(5, 7);
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  for (const [group, members] of groups) {
    it(`${group}…: ${members.length} models are read, inferred, written and run`, async () => {
      const failed: string[] = [];
      for (const name of members) {
        try {
          const loaded = load(name);
          for (const { op } of loaded.model.graph.nodes) covered.add(op);
          const wrong = [...conflicts(loaded), ...(await differences(name, loaded))];
          if (wrong.length > 0) failed.push(`${name}: ${wrong.join('; ')}`);
        } catch (error) {
          failed.push(`${name}: ${(error as Error).message}`);
        }
      }
      expect(failed).toEqual([]);
    });
  }

  // Types are inferred by the tables of each version, and the runtime has kernels for each.
  it.each(
    Array.from({ length: HIGHEST_INPUT_OPSET - LOWEST_INPUT_OPSET + 1 }, (_, index) => LOWEST_INPUT_OPSET + index),
  )(
    'raised to opset %i they give the same numbers',
    async (opset) => {
      const failed: string[] = [];
      for (const name of wanted) {
        if (opsetOf(name) > opset || reasonAt(name, opset) !== undefined) continue;
        try {
          const loaded = load(name, opset);
          expect(loaded.model.opsets.get('')).toBe(opset);
          const wrong = [...conflicts(loaded), ...(await differences(name, loaded))];
          if (wrong.length > 0) failed.push(`${name}: ${wrong.join('; ')}`);
        } catch (error) {
          failed.push(`${name}: ${(error as Error).message}`);
        }
      }
      expect(failed).toEqual([]);
    },
    120_000,
  );

  it('covers at least 800 models and most operators of the table', () => {
    expect(wanted.length).toBeGreaterThan(800);
    // What has no model: operators newer than the data (opset 17), and random ones.
    const uncovered = operatorNames().filter((name) => !covered.has(name));
    expect(uncovered.sort()).toEqual(
      [
        'AffineGrid',
        'Attention',
        'Bernoulli',
        'BitCast',
        'BitwiseAnd',
        'BitwiseNot',
        'BitwiseOr',
        'BitwiseXor',
        'CenterCropPad',
        'Col2Im',
        'Constant',
        'CumProd',
        'DeformConv',
        'Gelu',
        'GlobalLpPool',
        'GroupNormalization',
        'LpNormalization',
        'LpPool',
        'MaxRoiPool',
        'Mish',
        'Multinomial',
        'RMSNormalization',
        'RandomNormal',
        'RandomNormalLike',
        'RandomUniform',
        'RandomUniformLike',
        'RotaryEmbedding',
        'Swish',
        'TensorScatter',
      ].sort(),
    );
  });

  it('leaves nothing out at a later opset that would pass there', async () => {
    for (const [pattern, since, reason] of CHANGED) {
      const left = wanted.filter((name) => pattern.test(name));
      expect(left, reason).not.toEqual([]);
      for (const name of left) await expect(differences(name, load(name, since)), name).rejects.toThrow();
    }
  });

  it('skips nothing that would pass', async () => {
    const passing: string[] = [];
    const reasons = new Set<string>();
    for (const name of names) {
      const reason = skipReason(name);
      if (reason === undefined) continue;
      reasons.add(reason);
      if (reason.startsWith('draws random')) continue;
      try {
        if ((await differences(name, load(name))).length === 0) passing.push(name);
      } catch (error) {
        // Ours must be errors of our kind; the rest are ONNX Runtime's.
        if (isVaeError(error)) expect(error.message).not.toBe('');
      }
    }
    expect(passing).toEqual([]);
    expect([...reasons].sort()).toEqual(Object.keys(SKIPPED).sort());
  });
});
