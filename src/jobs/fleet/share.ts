/** How many shards a worker takes at once: as many as there are processors, and memory for by what shards were seen to take. */
import { freemem, totalmem } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { availableThreads } from '../../binding/threads.js';

/** Of what the process may have, the part that shards get. */
const SHARE = 0.85;
/** How often memory is looked at while shards are worked on. */
const LOOK_MS = 100;
/** Jobs that are known; beyond, they are seen as new again. */
const MOST_KNOWN = 1000;

interface MemoryReading {
  /** Bytes that this process has. */
  used(): number;
  /** Bytes that it could still get before the machine, or its container, has none left. */
  left(): number;
}

const REAL: MemoryReading = {
  used: () => process.memoryUsage.rss(),
  // Of the container, where Node can tell.
  left: () => process.availableMemory?.() ?? freemem(),
};

/** What the process may have, by default. */
function memoryShare(): number {
  return SHARE * Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

interface ShareOptions {
  /** Shards at once at most. Default: one for each processor. */
  readonly most?: number | undefined;
  /** Bytes that the process may have. Default: most of what it can get. */
  readonly bytes?: number | undefined;
  readonly memory?: MemoryReading | undefined;
}

/**
 * Begins with one shard; one more after each that was done, while there is room for another. Work that was not seen before
 * begins with one again. A shard is reckoned to take all that the process has above what it began with, models and what
 * earlier work left too, divided by the shards at once: rather too much than too little.
 */
export class MemoryShare {
  readonly #most: number;
  readonly #bytes: number;
  readonly #memory: MemoryReading;
  readonly #base: number;
  readonly #seen = new Set<string>();
  #running = 0;
  /** The most shards at once that the peak has held. */
  #together = 1;
  #peak: number;
  #looking: NodeJS.Timeout | undefined;
  #atOnce = 1;

  constructor({ most = availableThreads(), bytes = memoryShare(), memory = REAL }: ShareOptions = {}) {
    this.#most = most;
    this.#bytes = bytes;
    this.#memory = memory;
    this.#base = memory.used();
    this.#peak = this.#base;
  }

  get most(): number {
    return this.#most;
  }

  /** Shards that may be worked on at once now. */
  get atOnce(): number {
    return this.#atOnce;
  }

  /** Bytes that a shard is reckoned to take. */
  get each(): number {
    return (this.#peak - this.#base) / this.#together;
  }

  /**
   * A shard is begun.
   *
   * @param work what its memory depends on: the job that it is of.
   * @returns to be called at its end: whether it was done.
   */
  begin(work: string): (done: boolean) => void {
    this.#running += 1;
    if (this.#seen.has(work)) this.#together = Math.max(this.#together, this.#running);
    else {
      this.#atOnce = 1;
      this.#together = this.#running;
    }
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return (done) => {
      this.#look();
      if (done) this.#reckon(work);
      this.#running -= 1;
      if (this.#running > 0) return;
      clearInterval(this.#looking);
      this.#looking = undefined;
    };
  }

  #look(): void {
    const used = this.#memory.used();
    // Fewer than before take more by a whole shard: these are larger ones.
    if (used - this.#peak > this.each && this.#running > 0) this.#together = Math.min(this.#together, this.#running);
    this.#peak = Math.max(this.#peak, used);
  }

  #reckon(work: string): void {
    if (this.#seen.size >= MOST_KNOWN) this.#seen.clear();
    this.#seen.add(work);
    const each = Math.max(1, this.each);
    const allowed = Math.floor((this.#bytes - this.#base) / each);
    // What others on this machine have is no room for more.
    const more = SHARE * this.#memory.left() >= each ? 1 : 0;
    this.#atOnce = Math.max(1, Math.min(this.#most, allowed, this.#together + more));
  }
}
