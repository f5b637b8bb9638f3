/** node-vae jobs submit, work, status, cancel and retry: jobs on many machines. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { JobStatus, JobSummary, QueueStatus } from '../../../jobs/index.js';
import { addProgressOption, type ProgressFlags } from '../../archive-options.js';
import type { Runner } from '../../command.js';
import { CliError } from '../../errors.js';
import { count, note } from '../../output.js';
import { wholeNumber } from '../../parse.js';
import { RowProgress } from '../../progress.js';
import type { CommandResult } from '../../result.js';
import { addJobOptions, type JobFlags, jobOptions } from './options.js';

export interface FleetFlags {
  readonly redis?: string;
  readonly queue?: string;
  readonly redisCa?: string;
  readonly redisCert?: string;
  readonly redisKey?: string;
}

const NO_REDIS =
  'Say where Redis is: --redis redis://host:6379, or NODE_VAE_REDIS in the environment, which no list of processes shows.';

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function addFleetOptions(command: Command): Command {
  return command
    .option('--redis <url>', 'redis://user:password@host:6379/0, with TLS rediss://…; default: NODE_VAE_REDIS')
    .option('--queue <name>', 'which queue of that Redis (default)')
    .option('--redis-ca <file>', 'certificates that the server is trusted by')
    .option('--redis-cert <file>', 'certificate of this client')
    .option('--redis-key <file>', 'its key');
}

export async function fleetOptions({ redis, queue, redisCa, redisCert, redisKey }: FleetFlags) {
  const url = redis ?? process.env['NODE_VAE_REDIS'];
  if (!url) throw new CliError('ERR_VAE_OPTION', NO_REDIS);
  const tls = {
    ...(redisCa !== undefined && { ca: await readFile(redisCa) }),
    ...(redisCert !== undefined && { cert: await readFile(redisCert) }),
    ...(redisKey !== undefined && { key: await readFile(redisKey) }),
  };
  return {
    redis: url,
    ...(queue !== undefined && { queue }),
    ...(Object.keys(tls).length > 0 && { tls }),
  };
}

interface SubmitFlags extends JobFlags, FleetFlags, ProgressFlags {
  readonly force?: boolean;
  readonly maxErrors?: number;
  readonly tries?: number;
  readonly detach?: boolean;
}

function registerSubmit(jobs: Command, run: Runner): Command {
  const command = jobs
    .command('submit')
    .summary('plan a job and put its shards on a queue')
    .description(
      'Plans a job and puts the shards that are not done on a queue in Redis, from which workers (jobs work) take them; stays\n' +
        'until the job has ended, and may be interrupted: the job goes on. The same command again joins it.',
    );
  return addProgressOption(addFleetOptions(addJobOptions(command)))
    .option('--max-errors <n>', 'items that may be left out before the job fails (all)', wholeNumber(0))
    .option('--tries <n>', 'times that a shard is tried before it is given up (3)', wholeNumber(1))
    .option('--force', 'plan anew where inputs, model or options have changed')
    .option('--detach', 'do not stay')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae jobs submit encode -m /shared/model -i /shared/photos -o /shared/latents --redis redis://queue:6379
  $ NODE_VAE_REDIS=rediss://me:secret@queue:6380 node-vae jobs submit encode -m s3://models/it -i s3://photos/2026 \\
      -o s3://latents/2026 --detach

Inputs, model and output lie where every worker sees them under the same name: a shared file system, or s3://.`,
    )
    .action((operation: string, flags: SubmitFlags) =>
      run(async (signal) => {
        const description = jobOptions(operation, flags);
        const { submitJob } = await import('../../../jobs/index.js');
        let progress: RowProgress | undefined;
        const job = await submitJob(description, {
          ...(await fleetOptions(flags)),
          ...(flags.force && { force: true }),
          ...(flags.maxErrors !== undefined && { maxErrors: flags.maxErrors }),
          ...(flags.tries !== undefined && { tries: flags.tries }),
          signal,
        });
        try {
          for (const each of job.notes) note(`note: ${each}`);
          const { id, shards, items, shardsBefore } = job;
          const head: [string, string][] = [
            ['Job', id],
            ['Shards', `${count(shards)}${shardsBefore > 0 ? `, ${count(shardsBefore)} of them were there` : ''}`],
          ];
          if (flags.detach) {
            const rows = [...head, ['Items', count(items)] as const];
            return { data: { id, shards, items, shardsBefore, state: 'submitted' }, rows };
          }
          note(`${id}: ${count(shards)} shards; Ctrl-C leaves the job to the workers`);
          let refused = '';
          const summary = await job.wait({
            signal,
            onProgress: (status) => {
              progress ??= new RowProgress('shards', shards, 1, flags.progress);
              progress.update(status.shardsDone);
              const said = status.refused === undefined ? '' : `${status.refused.worker}: ${status.refused.reason}`;
              if (said !== '' && said !== refused) note(`refused by ${said}`);
              refused = said;
            },
          });
          return ended(head, id, summary);
        } finally {
          progress?.close();
          await job.close();
        }
      }),
    );
}

function ended(head: [string, string][], id: string, summary: JobSummary): CommandResult {
  const { output, items, rows, failed, bytesOut } = summary;
  return {
    data: { id, state: 'done', ...summary },
    rows: [
      ...head,
      ['Output', output],
      ['Items', `${count(items)}${rows === items ? '' : `, ${count(rows)} rows`}`],
      ['Size', `${count(bytesOut)} bytes`],
      ...(failed > 0 ? [['Left out', `${count(failed)} items, named in ${output}/errors.jsonl`] as const] : []),
    ],
    partly: failed > 0,
  };
}

interface WorkFlags extends FleetFlags {
  readonly name?: string;
  readonly root?: string[];
  readonly concurrency?: number;
  readonly threads?: number;
  readonly maxMemory?: number;
  readonly stalls?: number;
  readonly metricsPort?: number;
  readonly metricsHost?: string;
  readonly otel?: boolean;
}

function registerWork(jobs: Command, run: Runner): Command {
  const command = jobs
    .command('work')
    .summary('take shards from a queue until told to stop')
    .description(
      'Takes shards from a queue, with a model that is loaded once for many of them, until SIGTERM or SIGINT: then the batches\n' +
        'in flight finish, and shards that are not done go back. Logs are JSON lines on standard error.',
    );
  return addFleetOptions(command)
    .option(
      '--root <path>',
      'a folder or s3:// prefix that jobs may use; may be repeated (the current folder)',
      collect,
    )
    .option('--name <name>', 'in logs and in the status (host, process, a random number)')
    .option(
      '--concurrency <n>',
      'shards at once (one at first, then as many as there are processors and memory for)',
      wholeNumber(1),
    )
    .option('--threads <n>', 'threads inside one operator of a network (1)', wholeNumber(1))
    .option(
      '--max-memory <MB>',
      'what the worker may take, where --concurrency is not given (85% of what there is)',
      wholeNumber(269),
    )
    .option('--stalls <n>', 'times that a shard may lose its worker before it is given up (5)', wholeNumber(1))
    .option('--metrics-port <n>', 'serve metrics for Prometheus; needs prom-client', wholeNumber(0))
    .option('--metrics-host <name>', 'address to serve them on (127.0.0.1)')
    .option('--otel', 'spans by OpenTelemetry; needs bullmq-otel and a set-up of the SDK (node --import)')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae jobs work --redis redis://queue:6379 --root /shared
  $ NODE_VAE_REDIS=rediss://me:secret@queue:6380 node-vae jobs work --root s3://photos --root s3://latents --root s3://models

Needs the packages bullmq and ioredis; logs pino.`,
    )
    .action((flags: WorkFlags) =>
      run(async (signal) => {
        const { fleetLog, loadTelemetry, startWorker } = await import('../../../jobs/index.js');
        const { root, name, concurrency, threads, maxMemory, stalls, metricsPort, metricsHost, otel } = flags;
        const log = await fleetLog(name === undefined ? {} : { worker: name });
        const worker = await startWorker({
          ...(await fleetOptions(flags)),
          ...(root !== undefined && { roots: root }),
          ...(name !== undefined && { name }),
          ...(concurrency !== undefined && { concurrency }),
          ...(threads !== undefined && { threads }),
          ...(maxMemory !== undefined && { memoryBytes: maxMemory * 1e6 }),
          ...(stalls !== undefined && { stalls }),
          ...(metricsPort !== undefined && {
            metrics: { port: metricsPort, ...(metricsHost !== undefined && { host: metricsHost }) },
          }),
          ...(otel && { telemetry: await loadTelemetry() }),
          ...{ log, signal },
        });
        for (const each of worker.notes) note(`note: ${each}`);
        note(
          `worker ${worker.name}, node-vae ${worker.version}, ${flags.concurrency === undefined ? 'up to ' : ''}${worker.concurrency} shards at once${worker.metrics ? `, metrics on ${worker.metrics}` : ''}`,
        );
        await worker.ended;
        return { data: { worker: worker.name }, rows: [['Worker', `${worker.name} ended`]], endsBySignal: true };
      }),
    );
}

function registerStatus(jobs: Command, run: Runner): Command {
  return addFleetOptions(
    jobs
      .command('status')
      .summary('what is on a queue, and who works on it')
      .description('Lists the jobs of a queue with their shards, those that were given up, and the workers.')
      .argument('[job]', 'one job, by its id'),
  ).action((id: string | undefined, flags: FleetFlags) =>
    run(async () => {
      const { queueStatus } = await import('../../../jobs/index.js');
      const status = await queueStatus(await fleetOptions(flags));
      const list = id === undefined ? status.jobs : status.jobs.filter((job) => job.id === id);
      if (id !== undefined && list.length === 0) {
        const known = status.jobs.map((job) => job.id).join(', ');
        throw new CliError('ERR_VAE_OPTION', `There is no job ${id} on the queue; there are ${known || 'none'}.`);
      }
      return { data: { ...status, jobs: list }, rows: statusRows({ ...status, jobs: list }) };
    }),
  );
}

function statusRows({ jobs, workers, counts }: QueueStatus): [string, string][] {
  const waiting = (counts['waiting'] ?? 0) + (counts['delayed'] ?? 0) + (counts['prioritized'] ?? 0);
  return [
    ...(jobs.length === 0 ? [['Jobs', 'none'] as [string, string]] : jobs.flatMap(jobRows)),
    ['Queue', `${count(waiting)} shards wait, ${count(counts['active'] ?? 0)} in work`],
    ...(workers.length === 0 ? [['Workers', 'none'] as [string, string]] : []),
    ...workers.map(({ name, version, providers, concurrency, shards, rss, seenSeconds }): [string, string] => [
      'Worker',
      `${name}, node-vae ${version}${providers.length > 0 ? ` on ${providers.join(', ')}` : ''}, ${concurrency} at once, ${count(shards)} shards done, ${count(rss / 1e6)} MB, seen ${seenSeconds} s ago`,
    ]),
  ];
}

function jobRows({ id, operation, output, state, shards, shardsDone, failedShards, reason, refused }: JobStatus) {
  return [
    [id, `${operation} into ${output}: ${state}, ${count(shardsDone)} of ${count(shards)} shards`],
    ...failedShards
      .slice(0, 10)
      .map((each) => ['  Given up', `shard ${each.shard} after ${each.tries} tries: ${each.reason}`]),
    ...(failedShards.length > 10 ? [['  Given up', `${failedShards.length - 10} more; --json names all`]] : []),
    ...(reason !== undefined ? [['  Failed', reason]] : []),
    ...(refused !== undefined ? [['  Refused', `by ${refused.worker}: ${refused.reason}`]] : []),
  ] as [string, string][];
}

function registerControl(what: 'cancel' | 'retry', summary: string, description: string) {
  return (jobs: Command, run: Runner): Command =>
    addFleetOptions(
      jobs.command(what).summary(summary).description(description).argument('<job>', 'its id; see jobs status'),
    ).action((id: string, flags: FleetFlags) =>
      run(async () => {
        const { cancelJob, retryJob } = await import('../../../jobs/index.js');
        const status = await (what === 'cancel' ? cancelJob : retryJob)(id, await fleetOptions(flags));
        return { data: { ...status }, rows: jobRows(status) };
      }),
    );
}

export const FLEET_COMMANDS: readonly ((jobs: Command, run: Runner) => Command)[] = [
  registerSubmit,
  registerWork,
  registerStatus,
  registerControl(
    'cancel',
    'stop a job on a queue',
    'Drops the shards that wait; those in work end at their next batch. What is done stays, and the job can be submitted again.',
  ),
  registerControl(
    'retry',
    'put the shards of a job that are not done onto the queue again',
    'After shards were given up, or the job was cancelled: what is not done is tried again, with all its tries.',
  ),
];
