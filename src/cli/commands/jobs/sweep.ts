/** node-vae jobs sweep */
import type { Command } from 'commander';
import type { SweepSummary } from '../../../jobs/index.js';
import type { Runner } from '../../command.js';
import { count, note } from '../../output.js';
import { wholeNumber } from '../../parse.js';
import type { CommandResult } from '../../result.js';
import { addFleetOptions, type FleetFlags, fleetOptions } from './fleet.js';

interface SweepFlags extends FleetFlags {
  readonly data: string;
  readonly out: string;
  readonly concurrency?: number;
  readonly tries?: number;
}

const MOST_ROWS = 20;

export function registerSweep(jobs: Command, run: Runner): Command {
  const command = jobs
    .command('sweep')
    .summary('train a grid or a random search of configurations')
    .description(
      'Trains configurations of a model, with successive halving where it is asked for, and writes a table and a report. On this\n' +
        'machine; with --redis (or NODE_VAE_REDIS) by the workers of a queue. The same command again goes on.',
    )
    .argument('<sweep.json>', 'what is searched; see docs/guides/jobs.md')
    .requiredOption('--data <path>', 'what trials are trained on')
    .requiredOption('-o, --out <folder>', 'trials, table and report; made where missing')
    .option('--concurrency <n>', 'trials at once on this machine (1)', wholeNumber(1))
    .option('--tries <n>', 'with --redis: times that a trial may fail its workers (3)', wholeNumber(1));
  return addFleetOptions(command)
    .addHelpText(
      'after',
      `
Example of a sweep.json:
  {
    "model": { "architecture": { "type": "mlp", "hidden": [256] } },
    "space": {
      "model.latentDim": [4, 8, 16],
      "fit.learningRate": { "logUniform": [0.0001, 0.01] }
    },
    "search": { "random": 27 },
    "epochs": 27,
    "halving": { "from": 1, "factor": 3 }
  }`,
    )
    .action((path: string, flags: SweepFlags) =>
      run(async (signal) => {
        const { runSweep, submitSweep } = await import('../../../jobs/index.js');
        const { data, out, concurrency, tries } = flags;
        const given = { sweep: path, data, output: out, signal };
        if (flags.redis === undefined && !process.env['NODE_VAE_REDIS']) {
          const summary = await runSweep({
            ...given,
            ...(concurrency !== undefined && { concurrency }),
            onProgress: ({ epochs, trials, done, bestLoss }) =>
              note(`to ${epochs} epochs: ${done} of ${trials} trials, best ${bestLoss?.toFixed(2) ?? '-'}`),
          });
          return told(summary);
        }
        const sweep = await submitSweep({
          ...given,
          ...(await fleetOptions(flags)),
          ...(tries !== undefined && { tries }),
        });
        try {
          note(`${sweep.id}; Ctrl-C leaves the sweep to the workers`);
          let before = '';
          const onProgress = ({ open, epochs }: { open: number; epochs: number }): void => {
            const line = `to ${epochs} epochs: ${open} trials to go`;
            if (line !== before) note(line);
            before = line;
          };
          return told(await sweep.wait({ signal, onProgress }));
        } finally {
          await sweep.close();
        }
      }),
    );
}

function told({ output, trials, best, table, report }: SweepSummary): CommandResult {
  const failed = trials.filter((trial) => trial.failed !== undefined).length;
  const rows = trials.slice(0, MOST_ROWS).map(({ trial, epochs, loss, values, failed: reason }): [string, string] => {
    const said = Object.entries(values).map(([path, value]) => `${path} ${JSON.stringify(value)}`);
    const result = reason === undefined ? `${loss.toFixed(2)} after ${count(epochs)} epochs` : `failed: ${reason}`;
    return [`Trial ${trial}`, `${result}; ${said.join(', ')}`];
  });
  return {
    data: { output, best, table, report: report ?? null, trials: trials.map(({ history: _, ...rest }) => rest) },
    rows: [
      ...rows,
      ...(trials.length > MOST_ROWS ? [['', `${count(trials.length - MOST_ROWS)} more in ${table}`] as const] : []),
      ['Best', best],
      ['Table', table],
      ['Report', report ?? 'not drawn: npm install node-vae-report'],
      ...(failed > 0 ? [['Failed', `${count(failed)} trials could not be trained`] as const] : []),
    ],
    partly: failed > 0,
  };
}
