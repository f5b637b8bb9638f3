/** How far a job is: a bar with rate and time left on a terminal, a line now and then in a log. */
import { Presets, SingleBar } from 'cli-progress';
import type { JobProgress } from '../jobs/index.js';
import { count, note } from './output.js';
import { duration, type ProgressMode } from './progress.js';

/** A line so often where nobody looks at a terminal. */
const LINE_EVERY_MS = 60_000;
/** The rate is that of the last of these, so that what was there before and loading the model do not count. */
const WINDOW_MS = 30_000;

export class JobsProgress {
  readonly #doing: string;
  readonly #bar: boolean;
  readonly #plain: boolean;
  #shown: SingleBar | undefined;
  #told = Date.now();
  /** Items done at some moments of the last half minute. */
  readonly #past: { at: number; items: number }[] = [];

  constructor(doing: string, signal: AbortSignal, mode?: ProgressMode) {
    this.#doing = doing;
    const terminal = process.stderr.isTTY === true;
    this.#bar = mode === 'bar' || (mode === undefined && terminal);
    this.#plain = mode === 'plain' || (mode === undefined && !terminal);
    // What is said about the interruption must not be drawn over.
    signal.addEventListener('abort', () => this.close());
  }

  show(progress: JobProgress): void {
    const now = Date.now();
    if (progress.stage === 'plan') {
      if (now - this.#told < (this.#bar ? 200 : LINE_EVERY_MS)) return;
      this.#told = now;
      const text = `planning: ${count(progress.items)} items in ${count(progress.shards)} shards`;
      if (this.#bar && process.stderr.isTTY) process.stderr.write(`\r${text}\u001b[K`);
      else if (this.#plain) note(text);
      return;
    }
    const { items, totalItems, failed } = progress;
    const rate = this.#rate(now, items);
    const left = rate > 0 ? duration((totalItems - items) / rate) : '-';
    const words = { rate: count(rate), left, failed: failed > 0 ? `  ${count(failed)} left out` : '' };
    if (this.#bar) this.#draw(items, totalItems, words);
    if (this.#bar || !this.#plain || now - this.#told < LINE_EVERY_MS) return;
    this.#told = now;
    note(
      `${this.#doing}: ${count(items)} of ${count(totalItems)}, ${words.rate} items/s, about ${left} left${words.failed}`,
    );
  }

  close(): void {
    this.#shown?.stop();
    this.#shown = undefined;
  }

  #rate(now: number, items: number): number {
    const past = this.#past;
    if (past.length === 0 || now - past.at(-1)!.at > 250) past.push({ at: now, items });
    while (past.length > 2 && now - past[0]!.at > WINDOW_MS) past.shift();
    const first = past[0]!;
    return now > first.at ? ((items - first.items) / (now - first.at)) * 1000 : 0;
  }

  #draw(items: number, total: number, words: Readonly<Record<string, string>>): void {
    if (this.#shown !== undefined) {
      this.#shown.update(items, words);
      return;
    }
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    this.#shown = new SingleBar(
      {
        format: `${this.#doing} [{bar}] {value}/{total}  {rate} items/s  {left} left{failed}`,
        ...{ hideCursor: true, barsize: 28, stream: process.stderr, noTTYOutput: !process.stderr.isTTY },
      },
      Presets.shades_classic,
    );
    this.#shown.start(total, items, words);
  }
}
