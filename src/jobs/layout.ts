/** Names of files in a job's folder. */
export const JOB_FILE = '.job/job.json';
/** Written last of a plan: what is planned is all there. */
export const PLAN_FILE = '.job/plan.json';
/** A line for each shard. */
export const SHARDS_FILE = '.job/plan.jsonl';
export const INDEX_FILE = 'index.json';
/** Folder that archives are unpacked into. */
export const UNPACKED = 'files';
export const ERRORS_FILE = 'errors.jsonl';
/** Of this machine: what was not finished. */
export const SPOOL_FOLDER = '.job/spool';

const DIGITS = 6;

function numbered(shard: number): string {
  return String(shard).padStart(DIGITS, '0');
}

/** Items of a shard. */
export function itemsFile(shard: number): string {
  return `.job/plan/${numbered(shard)}.jsonl.gz`;
}

export function doneFile(shard: number): string {
  return `.job/done/${numbered(shard)}.json`;
}

/** What the files of a shard are called, without ending. */
export function shardStem(shard: number): string {
  return `shard-${numbered(shard)}`;
}
