import { addForceOption, claimOutput, type OutputFlags } from '../claim-output.js';
import type { RegisterCommand } from '../command.js';
import { classNumbers, decimal, wholeNumber } from '../parse.js';
import { addSessionOptions, type SessionFlags, sessionOptions } from '../shared-options.js';
import { OUTPUT_PATH, writeDecoded } from '../write-output.js';

interface SampleFlags extends SessionFlags, OutputFlags {
  readonly count: number;
  readonly seed: number;
  readonly temperature: number;
  readonly label?: number[];
  readonly columns?: number;
}

export const registerSample: RegisterCommand = (program, run) => {
  const command = addForceOption(program.command('sample'))
    .summary('make new examples from the prior')
    .description('Draws latents from the prior and decodes them. The same seed gives the same examples.')
    .argument('<model>', 'model directory, or the name of a model of this package')
    .option('-o, --out <path>', OUTPUT_PATH)
    .option('-n, --count <n>', 'how many examples', wholeNumber(1), 64)
    .option('--seed <n>', 'seed of the draws', wholeNumber(0), 0)
    .option('--temperature <t>', 'standard deviation of the draws; below 1: more typical examples', decimal, 1)
    .option('--label <n,…>', 'for conditional models: class number of the examples; of several, in turn', classNumbers)
    .option('--columns <n>', 'pictures in a row of the grid (default: about square)', wholeNumber(1));
  addSessionOptions(command).addHelpText(
    'after',
    `
Examples:
  $ node-vae sample mnist-mlp -n 100 -o digits.png
  $ node-vae sample mnist-mlp -n 16 --seed 7 --temperature 0.8 -o digits/
  $ node-vae sample my-model -n 1000 -o synthetic.npy
  $ node-vae sample labelled-digits -n 100 --label 0,1,2,3,4,5,6,7,8,9 --columns 10 -o rows.png`,
  );
  return command.action((source: string, flags: SampleFlags) =>
    run(async (signal) => {
      const out = await claimOutput(flags);
      const { Vae } = await import('../../index.js');
      await using vae = await Vae.load(source, sessionOptions(flags));
      const { seed, temperature, label } = flags;
      const labels = label && Array.from({ length: flags.count }, (_, index) => label[index % label.length]!);
      const samples = await vae.sample(flags.count, { seed, temperature, ...(labels && { labels }), signal });
      const { files, summary, onStderr } = await writeDecoded(vae, out, samples, {
        ...columnsOf(flags),
        apart: true,
        seed,
      });
      return {
        data: {
          model: source,
          count: flags.count,
          seed,
          temperature,
          ...(label && { label }),
          shape: samples.dims,
          files,
        },
        rows: [['Samples', summary]],
        onStderr,
      };
    }),
  );
};

function columnsOf({ columns }: { readonly columns?: number }): { columns?: number } {
  return columns === undefined ? {} : { columns };
}
