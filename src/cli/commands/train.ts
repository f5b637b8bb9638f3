import type { RegisterCommand } from '../command.js';
import { addKindOptions } from '../kind-options.js';
import { decimal, nameOrJson, setting, wholeNumber, widths } from '../parse.js';
import { addDataOptions, addSessionOptions, DATA_ARGUMENT, requireOut } from '../shared-options.js';
import { dryRun } from '../train/dry-run.js';
import type { TrainFlags } from '../train/flags.js';
import { train } from '../train/train.js';
import { trainDirectory } from '../train/train-directory.js';

export const registerTrain: RegisterCommand = (program, run) => {
  const command = program
    .command('train')
    .summary('train a model on data')
    .description(
      'Trains a variational autoencoder and writes it as a model directory: config.json, encoder.onnx and decoder.onnx, ' +
        'which any ONNX runtime can run, and what training needs to go on.',
    )
    .argument('<data>', DATA_ARGUMENT)
    .option('-o, --out <dir>', 'model directory to write')
    .option('--resume', 'go on with the model in that directory, up to --epochs in all; begin where there is none')
    .option('--overwrite', 'replace the model in that directory')
    .option(
      '--architecture <name>',
      'network by name, or JSON with `type` and options (default: one that suits the data)',
      nameOrJson,
    )
    .option('--hidden <widths>', 'widths of the hidden layers, such as 400 or 512,256', widths)
    .option('--latent <n>', "latent dimensions (default: the architecture's own)", wholeNumber(1))
    .option('--likelihood <name>', 'by name or JSON (default: one that suits the values)', nameOrJson)
    .option('--posterior <name>', 'gaussian, iaf or vector-quantised, by name or JSON (default: gaussian)', nameOrJson)
    .option('--prior <name>', 'standard or vamp, by name or JSON (default: standard)', nameOrJson)
    .option(
      '--objective <name>',
      'elbo, beta, free-bits, iwae, beta-tc or info-mmd, by name or JSON (default: elbo)',
      nameOrJson,
    )
    .option('--conditional', 'tell encoder and decoder the label of each row: sample --label then chooses')
    .option('--epochs <n>', 'passes over the data (default: until held-out rows no longer gain)', wholeNumber(1))
    .option('--minutes <x>', 'stop after so many minutes at the latest', decimal)
    .option('--batch-size <n>', 'rows in a batch (default: 4 to 128, by how many rows there are)', wholeNumber(1))
    .option('--optimizer <name>', 'adam, adamw or sgd (default: adam)')
    .option('--learning-rate <x>', "step size (default: the optimizer's own, 0.001 for adam)", decimal)
    .option('--kl-weight <x>', 'weight of the KL divergence, the β of a β-VAE (default: 1)', decimal)
    .option('--seed <n>', 'seed of weights, order and noise (default: 0)', wholeNumber(0))
    .option('--validation <data>', 'data to score after every epoch')
    .option('--validation-labels <file>', 'class numbers of its rows, as .npy or IDX file')
    .option(
      '--validation-split <fraction>',
      'hold out a part of the data for that (default: 0.1 from 400 rows on)',
      decimal,
    )
    .option('--no-validation', 'hold out nothing')
    .option(
      '--checkpoint-every <steps>',
      'steps between checkpoints (default: one at the end of every epoch)',
      wholeNumber(1),
    )
    .option('--report', 'write a page with curves and pictures into OUT/report')
    .option('--watch', 'serve a page that shows the run as it goes on; needs node-vae-explorer')
    .option('--watch-port <n>', 'port of that page (default: any that is free)', wholeNumber(0))
    .option('--tensorboard', 'also write event files for TensorBoard into OUT/tensorboard')
    .option('--codec', 'make a compressor of 8-bit data: also write codec.safetensors, for compress -m OUT')
    .option('--config <file.json>', 'options of Vae.create() under "model" and of fit() under "fit"; flags win')
    .option(
      '--artifacts <dir>',
      'train a directory of onnxruntime-training, by its own loss and optimizer, into one that it goes on from',
    )
    .option('--dry-run', 'train nothing: print shapes, and what memory and time the run would take')
    .option('--set <key=value>', 'one such option, such as fit.emaDecay=0.999; may be repeated', setting);
  addSessionOptions(addKindOptions(addDataOptions(command))).addHelpText(
    'after',
    `
Examples:
  $ node-vae train photos/ -o my-model --report
  $ node-vae train mnist/ -o digits --latent 20 --minutes 10 --report
  $ node-vae train faces.npy -o faces --hidden 512,256 --likelihood gaussian
  $ node-vae train photos/ -o faces --size 64 --flip --skip-bad --report
  $ node-vae train 'stones/*.jpg' -o stones --crops 200 --size 64
  $ node-vae train passengers.csv -o passengers --label-column survived --drop name,ticket
  $ node-vae train recordings/ -o voices --form mel --sample-rate 16000
  $ node-vae train clip.mp4 -o clip --size 36x64 --frames 8
  $ node-vae train mnist/ -o digits --resume --epochs 20
  $ node-vae train mnist/ -o digits-codec --codec --epochs 3
  $ node-vae train mnist/ -o digits --set fit.clipGradientNorm=1 --set model.architecture.activation=gelu
  $ node-vae train mnist/ -o digits --conditional --objective free-bits --set model.objective.lambda=0.25
  $ node-vae train mnist/ -o digits --posterior '{"type":"iaf","steps":4}' --likelihood discretised-logistic

  $ node-vae train mnist/ --architecture resnet --batch-size 256 --dry-run
  $ node-vae train mnist/ --artifacts from-python/ -o trained --epochs 5

Every option of Vae.create() and fit() has its place in --config and --set; editors complete a config that begins
{ "$schema": "./node_modules/node-vae/schemas/train-config.schema.json" }.

OUT also holds run.json (options, data, versions: see node-vae runs and node-vae reproduce), metrics.jsonl (one
line of JSON for each event) and checkpoints/.

Ctrl-C stops after the step in flight and saves the model as it is then; go on with --resume. After a crash,
--resume goes on from the last checkpoint.`,
  );
  return command.action((path: string, flags: TrainFlags) =>
    run((signal) =>
      flags.artifacts !== undefined
        ? trainDirectory(path, flags, signal, command)
        : flags.dryRun
          ? dryRun(path, flags, signal)
          : train(path, { ...flags, out: requireOut(flags.out) }, signal),
    ),
  );
};
