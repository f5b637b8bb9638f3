import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ExportReport } from '../../index.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { count } from '../output.js';
import { wholeNumber } from '../parse.js';
import type { CommandResult } from '../result.js';
import { addDataOptions, type DataFlags, loadData, requireOut } from '../shared-options.js';

interface ExportFlags extends DataFlags {
  readonly out?: string;
  readonly fp16?: boolean;
  readonly int8?: boolean;
  readonly data?: string;
  readonly rows?: number;
  readonly overwrite?: boolean;
  readonly outputs?: string;
}

const CALIBRATION_ROWS = 500;

export const registerExport: RegisterCommand = (program, run) => {
  const command = program
    .command('export')
    .summary('write encoder and decoder for other runtimes')
    .description(
      'Writes encoder.onnx and decoder.onnx (and prior.onnx, where the prior is a network), which any ONNX runtime ' +
        'runs, and export.json, which names their inputs and outputs. What the exported decoder makes is compared ' +
        "with the model's own.",
    )
    .argument('<model>', 'model directory, directory of onnxruntime-training, or the name of a model of this package')
    .option('-o, --out <dir>', 'folder to write')
    .option('--fp16', 'weights and arithmetic in half precision: half the size')
    .option('--int8', 'products in 8-bit integers: a quarter of the size; needs --data')
    .option('--data <path>', 'data like those to come, to measure the ranges of values for --int8')
    .option('--rows <n>', `rows of it to use (default: ${CALIBRATION_ROWS})`, wholeNumber(1))
    .option(
      '--outputs <names>',
      'of artifacts of onnxruntime-training that are no VAE: values to give, with commas between',
    )
    .option('--overwrite', 'replace an export in that folder');
  addDataOptions(command).addHelpText(
    'after',
    `
Examples:
  $ node-vae export digits/ -o exported
  $ node-vae export digits/ -o phone --fp16
  $ node-vae export mnist-mlp -o server --int8 --data mnist/
  $ node-vae export classifier-artifacts/ -o exported --outputs scores`,
  );
  return command.action((source: string, flags: ExportFlags) =>
    run(async (signal) => {
      const out = requireOut(flags.out);
      if (flags.outputs !== undefined) return exportOutputs(source, out, flags.outputs, flags);
      const precision = precisionOf(flags);
      if (!flags.overwrite && existsSync(join(out, 'encoder.onnx'))) {
        throw new CliError(
          'ERR_VAE_OPTION',
          `"${out}" holds networks already. Replace them by --overwrite, or choose another folder.`,
        );
      }
      const { describeArtifacts, Vae } = await import('../../index.js');
      await using vae = (await describeArtifacts(source))
        ? await Vae.fromOnnx({ artifacts: source })
        : await Vae.load(source);
      const data = flags.data === undefined ? undefined : await loadData(flags.data, flags, signal);
      const calibration = data?.take(flags.rows ?? CALIBRATION_ROWS);
      const report = await vae.export(out, { precision, ...(calibration && { calibration }), signal });
      return { data: { model: source, out, ...report }, rows: rowsOf(out, report) };
    }),
  );
};

/** A graph of onnxruntime-training that is no VAE, with its parameters inside. */
async function exportOutputs(source: string, out: string, names: string, flags: ExportFlags): Promise<CommandResult> {
  if (flags.fp16 || flags.int8) throw new CliError('ERR_VAE_OPTION', '--outputs excludes --fp16 and --int8.');
  const { describeArtifacts, TrainingSession } = await import('../../index.js');
  if (!(await describeArtifacts(source))) {
    throw new CliError('ERR_VAE_OPTION', `--outputs is for artifacts of onnxruntime-training; "${source}" is none.`);
  }
  const path = join(out, 'model.onnx');
  if (!flags.overwrite && existsSync(path)) {
    throw new CliError('ERR_VAE_OPTION', `"${path}" exists. Replace it by --overwrite, or choose another folder.`);
  }
  const outputs = names.split(',').map((name) => name.trim());
  await using session = await TrainingSession.create({ artifacts: source });
  await session.exportForInference(path, outputs);
  return { data: { model: source, out: path, outputs }, rows: [[path, outputs.join(', ')]] };
}

function precisionOf(flags: ExportFlags): ExportReport['precision'] {
  if (flags.fp16 && flags.int8) throw new CliError('ERR_VAE_OPTION', '--fp16 and --int8 exclude each other.');
  if (flags.int8 && flags.data === undefined) {
    throw new CliError('ERR_VAE_OPTION', '--int8 needs --data: a few hundred rows like those to come.');
  }
  if (!flags.int8 && flags.data !== undefined) {
    throw new CliError('ERR_VAE_OPTION', '--data is for --int8; other exports measure nothing.');
  }
  return flags.int8 ? 'int8' : flags.fp16 ? 'float16' : 'float32';
}

function rowsOf(out: string, { precision, networks, difference, quantization }: ExportReport): [string, string][] {
  const values = (list: ExportReport['networks'][number]['inputs']) =>
    list
      .map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.map((dim) => (dim < 0 ? 'N' : dim)).join(', ')}]`)
      .join(', ');
  const rows: [string, string][] = [['Precision', precision]];
  for (const { file, byteLength, inputs, outputs } of networks) {
    rows.push([join(out, file), `${count(byteLength)} bytes: ${values(inputs)} to ${values(outputs)}`]);
  }
  if (difference) {
    const { largest, mean } = difference;
    rows.push([
      'Difference',
      `at most ${largest.toExponential(1)}, ${mean.toExponential(1)} on average, of decoded draws`,
    ]);
  }
  if (quantization) rows.push(['Lost', `${quantization.loss.toFixed(3)} nats of reconstruction per row`]);
  return rows;
}
