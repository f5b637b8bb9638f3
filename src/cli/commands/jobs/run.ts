/** node-vae jobs run */
import type { Command } from 'commander';
import type { RunJobResult } from '../../../jobs/index.js';
import { addProgressOption, type ProgressFlags, shown } from '../../archive-options.js';
import type { Runner } from '../../command.js';
import { JobsProgress } from '../../jobs-progress.js';
import { count, note } from '../../output.js';
import { wholeNumber } from '../../parse.js';
import { duration } from '../../progress.js';
import type { CommandResult } from '../../result.js';
import { addJobOptions, type JobFlags, jobOptions } from './options.js';

interface RunFlags extends JobFlags, ProgressFlags {
  readonly force?: boolean;
  readonly maxErrors?: number;
  readonly processes?: number;
  readonly threads?: number;
}

const DOING: Readonly<Record<string, string>> = {
  encode: 'encoding',
  decode: 'decoding',
  reconstruct: 'reconstructing',
  score: 'scoring',
  compress: 'compressing',
  decompress: 'unpacking',
};

export function registerJobsRun(jobs: Command, run: Runner): Command {
  const command = jobs
    .command('run')
    .summary('run a job on this machine')
    .description(
      'Encodes, decodes, reconstructs, scores, compresses or unpacks any number of items into shards, with as many processes ' +
        'as the machine has processors. The same command again does what is missing. Items that cannot be used are left out ' +
        'and named in errors.jsonl.',
    );
  return addProgressOption(addJobOptions(command))
    .option('--max-errors <n>', 'items that may be left out before the job fails (1000)', wholeNumber(0))
    .option('--force', 'make anew what inputs, model or options have changed for; replace files that are there')
    .option('--processes <n>', 'processes at once (one for each processor, as far as memory goes)', wholeNumber(1))
    .option('--threads <n>', 'threads inside one operator of a network', wholeNumber(1))
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae jobs run encode --model my-model --input photos/ -o latents/
  $ node-vae jobs run encode -m my-model -i 's3://bucket/train/*.tar' -o s3://bucket/latents --format tar
  $ node-vae jobs run score -m my-model -i day.parquet -o scores/ --format jsonl
  $ node-vae jobs run compress -m photo-codec -i scans/ -o archives/ --shard-size 1000

s3:// needs the package @aws-sdk/client-s3, .tar the package tar-stream, Arrow files apache-arrow; credentials and
endpoint of S3 are where the AWS SDK looks for them. Exit codes: 0 all items, 3 some left out, 1 failed.`,
    )
    .action((operation: string, flags: RunFlags) =>
      run(async (signal) => {
        const options = jobOptions(operation, flags);
        const { runJob } = await import('../../../jobs/index.js');
        const progress = new JobsProgress(DOING[operation]!, signal, flags.progress);
        try {
          const result = await runJob({
            ...options,
            ...(flags.force && { force: true }),
            ...(flags.maxErrors !== undefined && { maxErrors: flags.maxErrors }),
            ...(flags.processes !== undefined && { processes: flags.processes }),
            ...(flags.threads !== undefined && { threads: flags.threads }),
            signal,
            onProgress: (each) => progress.show(each),
          });
          progress.close();
          return told(operation, result);
        } finally {
          progress.close();
        }
      }),
    );
}

/** `1 item`, `2 items` */
function plural(number: number, word: string): string {
  return `${count(number)} ${word}${number === 1 ? '' : word.endsWith('s') ? 'es' : 's'}`;
}

function told(operation: string, result: RunJobResult): CommandResult {
  const { output, shards, shardsBefore, items, rows, failed, bytesIn, bytesOut, seconds } = result;
  const { passedOver, passedOverExamples, processes, stageSeconds } = result;
  if (passedOver > 0) {
    note(
      `note: ${plural(passedOver, 'file')} in the inputs ${passedOver === 1 ? 'is' : 'are'} nothing to ${operation}: ${passedOverExamples.map(shown).join(', ')}${passedOver > passedOverExamples.length ? ', …' : ''}`,
    );
  }
  const fresh = shards - shardsBefore;
  return {
    data: {
      ...{ output, operation, shards, shardsBefore, items, rows, failed, bytesIn, bytesOut, passedOver, processes },
      ...{ seconds, stageSeconds },
    },
    rows: [
      ['Output', output],
      ['Shards', `${count(shards)}${shardsBefore > 0 ? `, ${count(shardsBefore)} of them were there` : ''}`],
      ['Items', `${count(items)}${rows === items ? '' : `, ${count(rows)} rows`}`],
      ['Size', `${count(bytesOut)} bytes${bytesIn > 0 ? ` of ${count(bytesIn)}` : ''}`],
      ...(fresh > 0
        ? [
            [
              'Time',
              `${duration(seconds)}, ${count(items / seconds)} items/s, ${plural(processes, 'process')}`,
            ] as const,
          ]
        : []),
      ...(failed > 0 ? [['Left out', `${plural(failed, 'item')}, named in ${output}/errors.jsonl`] as const] : []),
    ],
    partly: failed > 0,
  };
}
