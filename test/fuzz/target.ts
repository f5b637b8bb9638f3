/** What a fuzz target is, and how one input is put to it. */
import { isVaeError, type VaeErrorCode } from '../../src/core/errors.js';
import { damage, type Layout } from './mutations.js';

/** A parser of bytes that come from outside, with valid inputs to start from. */
export interface FuzzTarget {
  readonly name: string;
  readonly layout: Layout;
  /** Bytes at the start that say how the rest is read: most damage goes there. */
  readonly head: number;
  /** How many inputs `npm test` gives it; less where one takes long. */
  readonly rounds: number;
  readonly seeds: readonly Uint8Array[];
  /** Errors it may answer with; anything else it throws is a fault. */
  readonly errors: readonly VaeErrorCode[];
  /** Parses, and uses what came out as a program would. */
  parse(bytes: Uint8Array): unknown;
}

/** Processor time: more than any of these inputs, all under a megabyte, has a right to. */
const MOST_MS = 5_000;

export interface Outcomes {
  accepted: number;
  refused: number;
}

/** @throws Error naming target and seed where an input is answered by anything but success or an allowed error. */
export async function fuzzOne(target: FuzzTarget, seed: number, outcomes: Outcomes): Promise<void> {
  const bytes = inputOf(target, seed);
  const fault = (what: string, cause?: unknown): never => {
    throw new Error(`${target.name}, seed ${seed}: ${what}`, { cause });
  };
  const started = process.cpuUsage();
  try {
    await target.parse(bytes);
    outcomes.accepted += 1;
  } catch (error) {
    if (!isVaeError(error)) fault(`threw ${(error as Error).stack ?? String(error)}`, error);
    const { code, message } = error as { code: VaeErrorCode; message: string };
    if (!target.errors.includes(code)) fault(`threw ${code}, expected one of ${target.errors.join(', ')}: ${message}`);
    if (message.length > 2100) fault(`has a message of ${message.length} characters`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they would let a file write to a terminal
    if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(message))
      fault(`has control characters in ${JSON.stringify(message)}`);
    outcomes.refused += 1;
  }
  const { user, system } = process.cpuUsage(started);
  const took = (user + system) / 1000;
  if (took > MOST_MS) fault(`took ${took.toFixed(0)} ms of processor time for ${bytes.length} bytes`);
}

/** The damaged input of a seed, the same in every run. */
function inputOf(target: FuzzTarget, seed: number): Uint8Array {
  return damage(target.seeds[seed % target.seeds.length]!, seed, target.layout, target.head);
}
