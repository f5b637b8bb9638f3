/** Gathers concurrent requests into batches. */
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { onceAborted } from '../../core/abort-listeners.js';
import { VaeError } from '../../core/errors.js';

/** Batches are not made smaller than this so that several can run at once. */
const SMALLEST_SHARE = 8;

export interface BatchQueueOptions<In, Out> {
  /** Rows of a batch at most; a request of more goes by itself. */
  readonly maxBatch: number;
  /** How long the first request of a batch waits for others, while nothing runs. */
  readonly maxDelayMs: number;
  /** Rows that may wait. */
  readonly maxQueue: number;
  /** Batches that run at once. */
  readonly concurrency: number;
  /** Runs requests together; one result for each, in order. The signal is there where a request has one. */
  readonly run: (requests: readonly In[], rows: number, signal: AbortSignal | undefined) => Promise<readonly Out[]>;
}

interface Waiting<In, Out> {
  readonly request: In;
  readonly rows: number;
  readonly resolve: (result: Out) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  /** Stops listening to the signal. */
  stopListening: (() => void) | undefined;
  settled: boolean;
}

interface Running<In, Out> {
  readonly controller: AbortController | undefined;
  readonly members: readonly Waiting<In, Out>[];
}

/**
 * A batch goes off when it is full, when its first request has waited long enough, or at once when one
 * before it ends: while the machine is busy requests gather by themselves, and when it is not they do
 * not wait for company longer than asked. Where several run at once, each takes its share of the rows, so
 * that they end one after another and not all together.
 */
export class BatchQueue<In, Out> {
  readonly #options: BatchQueueOptions<In, Out>;
  #waiting: Waiting<In, Out>[] = [];
  #rows = 0;
  #running = 0;
  #runningRows = 0;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  readonly #room: (() => void)[] = [];
  #idle: (() => void) | undefined;

  constructor(options: BatchQueueOptions<In, Out>) {
    this.#options = options;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  get idle(): boolean {
    return this.#running === 0 && this.#waiting.length === 0;
  }

  /**
   * @throws VaeError (as a rejection) ERR_VAE_BUSY when too many rows wait; the signal's reason when
   *   aborted; whatever running this very request fails with.
   */
  submit(request: In, rows: number, signal: AbortSignal | undefined): Promise<Out> {
    const { maxQueue } = this.#options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#rows > 0 && this.#rows + rows > maxQueue) {
      return Promise.reject(
        new VaeError(
          'ERR_VAE_BUSY',
          `The batcher's queue is full: ${this.#rows} of ${maxQueue} rows wait. Try again later, wait for room(), or ` +
            'turn requests away, as HTTP does with status 503.',
        ),
      );
    }
    return new Promise<Out>((resolve, reject) => {
      const entry: Waiting<In, Out> = {
        request,
        rows,
        resolve,
        reject,
        signal,
        stopListening: undefined,
        settled: false,
      };
      if (signal !== undefined) entry.stopListening = onceAborted(signal, () => this.#abort(entry));
      this.#waiting.push(entry);
      this.#rows += rows;
      this.#schedule();
    });
  }

  /** Resolves when rows may be submitted again. */
  room(): Promise<void> {
    if (this.#rows < this.#options.maxQueue) return Promise.resolve();
    return new Promise((resolve) => this.#room.push(resolve));
  }

  /** Resolves when nothing waits or runs. What waits goes off without delay. */
  async drain(): Promise<void> {
    if (this.#waiting.length > 0) this.#start();
    if (!this.idle) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #schedule(): void {
    const { maxBatch, maxDelayMs, concurrency } = this.#options;
    // When a batch ends the next one starts by itself.
    if (this.#running >= concurrency) return;
    if (this.#rows >= maxBatch) {
      this.#start();
    } else if (this.#timer === undefined) {
      const fire = () => {
        this.#timer = undefined;
        this.#start();
      };
      this.#timer = maxDelayMs === 0 ? setImmediate(fire) : setTimeout(fire, maxDelayMs);
    }
  }

  #start(): void {
    this.#clearTimer();
    const { maxBatch, concurrency } = this.#options;
    while (this.#waiting.length > 0 && this.#running < concurrency) {
      let count = 0;
      let rows = 0;
      const share = Math.max(SMALLEST_SHARE, Math.ceil((this.#rows + this.#runningRows) / concurrency));
      const most = Math.min(maxBatch, share);
      while (count < this.#waiting.length) {
        const next = this.#waiting[count]!.rows;
        if (count > 0 && rows + next > most) break;
        rows += next;
        count += 1;
      }
      const members = count === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, count);
      this.#waiting = members === this.#waiting ? [] : this.#waiting.slice(count);
      this.#rows -= rows;
      this.#running += 1;
      this.#runningRows += rows;
      void this.#run(members, rows);
    }
    if (this.#rows < this.#options.maxQueue) for (const resolve of this.#room.splice(0)) resolve();
  }

  async #run(members: readonly Waiting<In, Out>[], rows: number): Promise<void> {
    const controller = members.some(({ signal }) => signal !== undefined) ? new AbortController() : undefined;
    const running: Running<In, Out> = { controller, members };
    for (const member of members) if (member.signal !== undefined) this.#follow(member, running);
    try {
      const requests = members.map(({ request }) => request);
      const results = await this.#options.run(requests, rows, controller?.signal);
      for (let index = 0; index < members.length; index += 1) {
        if (this.#settle(members[index]!)) members[index]!.resolve(results[index]!);
      }
    } catch (error) {
      await this.#runAlone(running, error);
    }
    this.#running -= 1;
    this.#runningRows -= rows;
    if (this.#waiting.length > 0) this.#start();
    else if (this.#running === 0) this.#idle?.();
  }

  /** A batch that failed is run request by request, so that each has an outcome of its own. */
  async #runAlone({ members, controller }: Running<In, Out>, error: unknown): Promise<void> {
    if (members.length === 1) {
      if (this.#settle(members[0]!)) members[0]!.reject(error);
      return;
    }
    for (const member of members) {
      if (member.settled) continue;
      try {
        const [result] = await this.#options.run([member.request], member.rows, controller?.signal);
        if (this.#settle(member)) member.resolve(result!);
      } catch (own) {
        if (this.#settle(member)) member.reject(own);
      }
    }
  }

  /** An aborted member is told at once; the run itself ends only when nobody waits for it any more. */
  #follow(member: Waiting<In, Out>, running: Running<In, Out>): void {
    member.stopListening!();
    member.stopListening = onceAborted(member.signal!, () => {
      if (this.#settle(member)) member.reject(member.signal!.reason);
      if (running.members.every(({ settled }) => settled)) running.controller!.abort(member.signal!.reason);
    });
  }

  #abort(entry: Waiting<In, Out>): void {
    const at = this.#waiting.indexOf(entry);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#rows -= entry.rows;
    if (this.#waiting.length === 0) this.#clearTimer();
    if (this.#settle(entry)) entry.reject(entry.signal!.reason);
    for (const resolve of this.#room.splice(0)) resolve();
    if (this.idle) this.#idle?.();
  }

  /** False where it has an outcome already. */
  #settle(member: Waiting<In, Out>): boolean {
    if (member.settled) return false;
    member.settled = true;
    member.stopListening?.();
    return true;
  }

  #clearTimer(): void {
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    this.#timer = undefined;
  }
}
