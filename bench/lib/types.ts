/** What a bench is and what it answers. */

/** Figures of one contender, each named with its unit: `stepMs`, `p50Us`, `peakMb`. */
export type Metrics = Readonly<Record<string, number | string>>;

/** One setting of a bench, such as one batch size. */
export interface BenchCase {
  readonly name: string;
  readonly ours: Metrics;
  readonly peers: Readonly<Record<string, Metrics>>;
  /** Above 1: ours is better. */
  readonly ratios: Readonly<Record<string, number>>;
}

export interface BenchResult {
  readonly cases: readonly BenchCase[];
  /** Peers that could not take part, and why. */
  readonly missing: Readonly<Record<string, string>>;
  /** Tables and remarks printed below the cases, such as where the time goes. */
  readonly sections: readonly { readonly title: string; readonly table: readonly (readonly string[])[] }[];
}

export interface BenchContext {
  /** Threads inside one operator, the same for every contender; 0 where each takes its own default. */
  readonly threads: number;
  /** Timed rounds of each contender. */
  readonly rounds: number;
  /** Whether per-operator time is wanted. */
  readonly profile: boolean;
  /** Progress, to standard error. */
  log(text: string): void;
}

export interface Bench {
  /** The question it answers, in one sentence. */
  readonly question: string;
  /** Module names of npm peers, whose versions go into the machine's description. */
  readonly packages?: readonly string[];
  run(context: BenchContext): Promise<BenchResult>;
}
