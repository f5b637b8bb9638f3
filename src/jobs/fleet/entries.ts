/** What lies on the queue: checked when it is taken off, as anybody may have put it there. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Job, jobSchema } from '../job.js';
import { type Sweep, sweepSchema } from '../sweep/sweep.js';
import { PREFIX } from './redis.js';

/** Of the job: the description, and how it is gone about. */
export const jobEntrySchema = z.strictObject({
  job: jobSchema,
  shards: z.int().min(0),
  items: z.int().min(0),
  /** Times that a shard is tried before it stops. */
  tries: z.int().min(1),
  /** Items that may be left out of the whole job; absent: all. */
  maxErrors: z.int().min(0).optional(),
  /** Milliseconds before a shard that failed is tried again; doubled each time. */
  backoffMs: z.int().min(0),
});

export type JobEntry = z.output<typeof jobEntrySchema>;

/** Of a shard: which of which job. */
export const shardEntrySchema = z.strictObject({
  job: z.string().regex(/^j-[0-9a-f]{16}$/),
  shard: z.int().min(0),
});

export type ShardEntry = z.output<typeof shardEntrySchema>;

/** What a shard leaves with its job: small, as it is kept for each. */
export const shardReturnSchema = z.strictObject({ items: z.int().min(0), failed: z.int().min(0) });

export type ShardReturn = z.output<typeof shardReturnSchema>;

/** A sweep, and how it is gone about. */
export const sweepEntrySchema = z.strictObject({
  sweep: sweepSchema,
  tries: z.int().min(1),
  backoffMs: z.int().min(0),
});

export type SweepEntry = z.output<typeof sweepEntrySchema>;

/** Of a trial: which of which sweep, and how far. */
export const trialEntrySchema = z.strictObject({
  job: z.string().regex(/^s-[0-9a-f]{16}$/),
  trial: z.int().min(0),
  epochs: z.int().min(1),
});

export type TrialEntry = z.output<typeof trialEntrySchema>;

export function sweepIdOf(sweep: Sweep): string {
  return `s-${createHash('sha256')
    .update(JSON.stringify(sorted(sweep)))
    .digest('hex')
    .slice(0, 16)}`;
}

export function trialIdOf({ job, trial, epochs }: TrialEntry): string {
  return `${job}-${trial}-${epochs}`;
}

/** The same for the same job, whoever submits it. */
export function jobIdOf(job: Job): string {
  return `j-${createHash('sha256')
    .update(JSON.stringify(sorted(job)))
    .digest('hex')
    .slice(0, 16)}`;
}

export function shardIdOf(job: string, shard: number): string {
  return `${job}-${shard}`;
}

/** Names of what is kept beside BullMQ's own. */
export function keysOf(queue: string) {
  const key = (what: string): string => `${PREFIX}:${queue}-${what}`;
  return {
    /** Workers by name: what they are, and when they last said so. */
    workers: key('workers'),
    /** Jobs that were cancelled. */
    cancelled: key('cancelled'),
    /** Who refused which job, and why. */
    refused: key('refused'),
  };
}

/** Keys in order, so that equal descriptions are the same text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
