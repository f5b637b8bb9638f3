/** node-vae jobs: the table of its sub-commands. */
import type { Command } from 'commander';
import type { RegisterCommand, Runner } from '../../command.js';
import { FLEET_COMMANDS } from './fleet.js';
import { registerJobsRun } from './run.js';
import { registerSweep } from './sweep.js';

type RegisterSubcommand = (jobs: Command, run: Runner) => Command;

const SUBCOMMANDS: readonly RegisterSubcommand[] = [registerJobsRun, ...FLEET_COMMANDS, registerSweep, registerProcess];

export const registerJobs: RegisterCommand = (program, run) => {
  const jobs = program
    .command('jobs')
    .summary('encode, decode, score or compress any number of items into shards')
    .description('Jobs over any number of items, cut into shards; see docs/guides/jobs.md.');
  for (const register of SUBCOMMANDS) register(jobs, run);
  return jobs;
};

/** What jobs run starts for each of its processes. */
function registerProcess(jobs: Command): Command {
  return jobs
    .command('process', { hidden: true })
    .description('Runs shards for jobs run, which starts it.')
    .action(async () => {
      const { serveShards } = await import('../../../jobs/index.js');
      await serveShards();
    });
}
