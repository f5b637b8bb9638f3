import type { ArtifactsDescription } from '../../index.js';
import type { RegisterCommand } from '../command.js';
import { CliError } from '../errors.js';
import { count } from '../output.js';
import type { CommandResult } from '../result.js';

export const registerInfo: RegisterCommand = (program, run) => {
  const command = program
    .command('info')
    .summary('describe a model')
    .description(
      'Prints what a model is: its networks, its data, its parameters. Without a model: the names of those that come with the package.',
    )
    .argument('[model]', 'model directory, directory of onnxruntime-training, or the name of a model of this package')
    .option('--parameters', 'list every parameter with its shape')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae info
  $ node-vae info mnist-mlp --parameters
  $ node-vae info ./my-model --json`,
    );
  return command.action((source: string | undefined, flags: { parameters?: boolean }) =>
    run(async () => {
      const { describeArtifacts, shippedModels, Vae } = await import('../../index.js');
      if (source === undefined) {
        const models = await shippedModels();
        return { data: { models }, rows: [['Models', models.join(', ') || 'none']] };
      }
      if (source.endsWith('.vaez')) {
        throw new CliError(
          'ERR_VAE_OPTION',
          `${source} is an archive; node-vae archive info ${source} says what it holds.`,
        );
      }
      const artifacts = await describeArtifacts(source);
      if (artifacts) return describeDirectory(source, artifacts, flags.parameters ?? false);
      await using vae = await Vae.load(source);
      const { parameters, ...info } = vae.info;
      const size = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
      return {
        data: {
          model: source,
          ...info,
          dataShape: vae.dataShape,
          parameters: parameters.map(({ name, dims }) => ({ name, dims })),
        },
        rows: [
          ['Model', source],
          ['Architecture', describe(info.architecture)],
          ['Data', `${describe(info.input)}, rows of ${vae.dataShape.join('×')}`],
          ['Latent', describeLatent(info.latentDim, info.layers, vae.latentShape)],
          ['Likelihood', describe(info.likelihood)],
          ['Posterior', describe(info.posterior)],
          ['Prior', info.layers.length > 1 ? 'learned, by the layers above' : describe(info.prior)],
          ['Objective', describe(info.objective)],
          ...(info.condition
            ? [['Labels', `${info.condition.classes} classes, ${describeLabels(info.condition)}`] as const]
            : []),
          ['Parameters', count(info.parameterCount)],
          ['Seed', String(info.seed)],
          [
            'Training',
            info.trainedEpochs === undefined
              ? 'cannot go on: saved without its training state'
              : `can go on after ${info.trainedEpochs} epochs`,
          ],
          ...(flags.parameters
            ? parameters.map(({ name, dims }) => [`  ${name}`, `[${dims.join(', ')}]  ${count(size(dims))}`] as const)
            : []),
        ],
      };
    }),
  );
};

/** Artifacts of onnxruntime-training. */
function describeDirectory(source: string, artifacts: ArtifactsDescription, all: boolean): CommandResult {
  const { inputs, loss, optimizer, clipGradientNorm, vae, problem, properties } = artifacts;
  const rows: [string, string][] = [
    ['Artifacts', `${source}, of onnxruntime-training`],
    [
      'Parameters',
      `${count(artifacts.parameterCount)} in ${artifacts.parameters.length} tensors, ${artifacts.frozen.length} frozen`,
    ],
    ['Checkpoint', artifacts.nominal ? 'nominal: names without values' : `after ${count(artifacts.step)} steps`],
  ];
  if (inputs) {
    rows.push(['Inputs', inputs.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(', ')}]`).join(', ')]);
  }
  if (loss) rows.push(['Loss', loss]);
  if (optimizer) {
    const clip = clipGradientNorm === undefined ? '' : `, gradients clipped to ${clipGradientNorm}`;
    rows.push(['Optimizer', `${describe(optimizer)}${clip}`]);
  }
  if (vae)
    rows.push(['VAE', `data ${vae.data}, noise ${vae.noise}, mean ${vae.mean}, log-variance ${vae.logVariance}`]);
  for (const [name, value] of Object.entries(properties)) rows.push([`  ${name}`, String(value)]);
  if (problem) rows.push(['Cannot be trained', problem]);
  if (all) for (const { name, dims } of artifacts.parameters) rows.push([`  ${name}`, `[${dims.join(', ')}]`]);
  return { data: { model: source, ...artifacts }, rows };
}

function describeLabels({ embedding }: { readonly embedding?: number | undefined }): string {
  return embedding === undefined ? 'one-hot' : `as vectors of ${embedding}`;
}

function describeLatent(
  latentDim: number,
  layers: readonly { readonly name: string; readonly size: number }[],
  shape: readonly number[],
): string {
  if (layers.length > 1) {
    return `${latentDim} dimensions in ${layers.length} layers: ${layers.map(({ name, size }) => `${name} ${size}`).join(', ')}`;
  }
  return shape.length > 1 ? `${latentDim} channels, rows of ${shape.join('×')}` : `${latentDim} dimensions`;
}

/** `{ type: 'mlp', hidden: [400] }` as "mlp, hidden 400". */
function describe(config: object): string {
  return Object.entries(config)
    .map(([key, value]) => {
      const text = Array.isArray(value)
        ? value.join(', ')
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value);
      return key === 'type' || key === 'kind' ? text : `${key} ${text}`;
    })
    .join(', ');
}
