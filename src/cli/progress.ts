/** Progress on stderr: a bar that moves on a terminal, and a table with a line for each epoch everywhere. */
import { Presets, SingleBar } from 'cli-progress';
import type { EpochProgress, FitProgress, StepProgress } from '../index.js';
import { count, note } from './output.js';

/** What may end a run before its last epoch. */
interface End {
  /** Whether it ends when held-out rows gain nothing. */
  readonly early?: boolean;
  /** When its time is up, as performance.now() tells it. */
  readonly at?: number | undefined;
}

/** A run that may take longer than this is said to be one that can be ended. */
const LONG_SECONDS = 1200;

/** Shows a training run. `close()` in a finally block: the bar hides the cursor. */
export class TrainingProgress {
  readonly #unit: string;
  #bar: SingleBar | undefined;
  #interactive = process.stderr.isTTY === true;
  /** Whether the table has its header. */
  #headed = false;
  readonly #end: End;

  /** @param unit what one example is called, such as `rows`. */
  constructor(unit: string, signal: AbortSignal, end: End = {}) {
    this.#unit = unit;
    this.#end = end;
    // What is said about the interruption must not be drawn over.
    signal.addEventListener('abort', () => {
      this.close();
      this.#interactive = false;
    });
  }

  show(event: FitProgress): void {
    if (event.kind === 'step') this.#step(event);
    else if (event.kind === 'epoch') {
      if (isShown(event)) this.#epoch(event);
    } else this.#line(`warning (epoch ${event.epoch}, step ${event.step}): ${event.message}`);
  }

  close(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #step({ epoch, epochs, step, steps, loss, examplesPerSecond, secondsLeft }: StepProgress): void {
    if (!this.#interactive) return;
    const shown = {
      epoch,
      epochs,
      loss: loss.toFixed(2),
      rate: count(examplesPerSecond),
      left: this.#isAtMost
        ? `at most ${duration(Math.min(secondsLeft, this.#untilEnd))} left`
        : `${duration(secondsLeft)} left`,
      unit: this.#unit,
    };
    if (this.#bar) this.#bar.update(step, shown);
    else {
      this.#bar = new SingleBar(
        {
          format: 'epoch {epoch}/{epochs} [{bar}] {percentage}%  loss {loss}  {rate} {unit}/s  {left}',
          hideCursor: true,
          barsize: 24,
          stream: process.stderr,
        },
        Presets.shades_classic,
      );
      this.#bar.start(steps, step, shown);
    }
  }

  #epoch(event: EpochProgress): void {
    const cells = [...COLUMNS.filter(({ shown }) => shown?.(event) ?? true), this.#left];
    if (!this.#headed) this.#line(cells.map(({ title, width }) => title(this.#unit).padStart(width)).join('  '));
    this.#line(cells.map(({ cell, width }) => cell(event).padStart(width)).join('  '));
    // Once, when the first epoch has told how quick this machine is.
    if (!this.#headed && (event.secondsLeft ?? 0) > LONG_SECONDS && this.#end.early && this.#end.at === undefined) {
      this.#line(
        'Note        This ends by itself when held-out rows gain nothing. Ctrl-C ends it before, and keeps the model; --minutes N says how long it may take.',
      );
    }
    this.#headed = true;
  }

  /** What is left; of a run that may end before, what is left at most. */
  get #left(): Column {
    return {
      width: 11,
      title: () => (this.#isAtMost ? 'at most' : 'left'),
      cell: ({ secondsLeft }) => (secondsLeft ? duration(Math.min(secondsLeft, this.#untilEnd)) : '-'),
    };
  }

  get #isAtMost(): boolean {
    return this.#end.early === true || this.#end.at !== undefined;
  }

  /** Seconds until the time is up. */
  get #untilEnd(): number {
    const { at } = this.#end;
    return at === undefined ? Number.POSITIVE_INFINITY : Math.max(0, (at - performance.now()) / 1000);
  }

  /** A line that stays, above the bar. The next step draws a new bar. */
  #line(text: string): void {
    if (this.#bar) {
      this.#bar.stop();
      this.#bar = undefined;
      process.stderr.moveCursor(0, -1);
      process.stderr.clearLine(0);
    }
    note(text);
  }
}

export const PROGRESS_MODES = ['bar', 'plain', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** A line each minute where nobody looks at a terminal: a log says what goes on, and is not filled. */
const LINE_EVERY_MS = 60_000;

/** Shows how far work on many rows is: a bar on a terminal, a line now and then in a log. */
export class RowProgress {
  readonly #bar: SingleBar | undefined;
  readonly #doing: string;
  readonly #total: number;
  readonly #plain: boolean;
  readonly #started = Date.now();
  #told = Date.now();

  /** @param least fewer rows are done before anyone could look. */
  constructor(doing: string, rows: number, least: number, mode?: ProgressMode) {
    this.#doing = doing;
    this.#total = rows;
    const terminal = process.stderr.isTTY === true;
    const bar = mode === 'bar' || (mode === undefined && terminal);
    this.#plain = mode === 'plain' || (mode === undefined && !terminal);
    if (!bar || rows <= least) return;
    const format = `${doing} [{bar}] {value}/{total}  {eta_formatted} left`;
    this.#bar = new SingleBar(
      { format, hideCursor: true, barsize: 32, stream: process.stderr, noTTYOutput: mode === 'bar' && !terminal },
      Presets.shades_classic,
    );
    this.#bar.start(rows, 0);
  }

  update(rows: number): void {
    this.#bar?.update(rows);
    const now = Date.now();
    if (!this.#plain || now - this.#told < LINE_EVERY_MS) return;
    this.#told = now;
    const left = leftText(rows / this.#total, now - this.#started);
    note(`${this.#doing}: ${count(rows)} of ${count(this.#total)}${left}`);
  }

  close(): void {
    this.#bar?.stop();
  }
}

/** What is left of work of which a share is done after so long. */
function leftText(share: number, ms: number): string {
  return share > 0 ? `, about ${duration((ms / 1000 / share) * (1 - share))} left` : '';
}

/** A bar is not shown for less. */
const SHOWN_AFTER_MS = 3000;

/** Shows how far work is whose items may be large: by the share that is done. */
export class ShareProgress {
  #bar: SingleBar | undefined;
  readonly #doing: string;
  readonly #mode: ProgressMode;
  readonly #started = Date.now();
  #told = Date.now();

  constructor(doing: string, mode?: ProgressMode) {
    this.#doing = doing;
    this.#mode = mode ?? (process.stderr.isTTY === true ? 'bar' : 'plain');
  }

  update({
    items,
    totalItems,
    share,
  }: {
    readonly items: number;
    readonly totalItems: number;
    readonly share: number;
  }): void {
    const now = Date.now();
    const left = leftText(share, now - this.#started);
    const percentage = Math.floor(100 * share);
    if (this.#mode === 'bar' && (this.#bar !== undefined || now - this.#started >= SHOWN_AFTER_MS)) {
      this.#bar ??= this.#begin();
      this.#bar.update(percentage, { items: count(items), totalItems: count(totalItems), left });
    }
    if (this.#mode !== 'plain' || now - this.#told < LINE_EVERY_MS) return;
    this.#told = now;
    note(`${this.#doing}: ${percentage}%, ${count(items)} of ${count(totalItems)}${left}`);
  }

  close(): void {
    this.#bar?.stop();
  }

  #begin(): SingleBar {
    const bar = new SingleBar(
      {
        format: `${this.#doing} [{bar}] {percentage}%  {items} of {totalItems}{left}`,
        ...{ hideCursor: true, barsize: 32, stream: process.stderr, noTTYOutput: process.stderr.isTTY !== true },
      },
      Presets.shades_classic,
    );
    bar.start(100, 0, { items: '', totalItems: '', left: '' });
    return bar;
  }
}

/** Lines that a table of epochs has, about: of many short ones, some are shown. */
const MOST_LINES = 50;

function isShown({ epoch, epochs }: EpochProgress): boolean {
  return epochs < 2 * MOST_LINES || epoch === 1 || epoch === epochs || epoch % Math.floor(epochs / MOST_LINES) === 0;
}

/** One column of the table of epochs. */
interface Column {
  readonly width: number;
  title(unit: string): string;
  cell(event: EpochProgress): string;
  /** Whether the run has such a figure. Default: it has. */
  readonly shown?: (event: EpochProgress) => boolean;
}

const COLUMNS: readonly Column[] = [
  { width: 9, title: () => 'epoch', cell: ({ epoch, epochs }) => `${epoch}/${epochs}` },
  { width: 9, title: () => 'loss', cell: ({ train }) => train.loss.toFixed(2) },
  { width: 14, title: () => 'reconstruction', cell: ({ train }) => train.reconstruction.toFixed(2) },
  { width: 7, title: () => 'KL', cell: ({ train }) => train.kl.toFixed(2) },
  {
    width: 10,
    title: () => 'validation',
    cell: ({ validation }) => validation!.loss.toFixed(2),
    shown: ({ validation }) => validation !== undefined,
  },
  {
    width: 9,
    title: () => 'active',
    cell: ({ latents }) => `${latents!.activeUnits}/${latents!.units}`,
    shown: ({ latents }) => latents !== undefined,
  },
  { width: 8, title: () => 'gradient', cell: ({ gradientNorm }) => gradientNorm?.toPrecision(3) ?? '-' },
  { width: 8, title: () => 'update', cell: ({ updateNorm }) => updateNorm?.toPrecision(3) ?? '-' },
  { width: 8, title: () => 'rate', cell: ({ learningRate }) => String(Number(learningRate.toPrecision(3))) },
  { width: 9, title: (unit) => `${unit}/s`, cell: ({ examplesPerSecond }) => count(examplesPerSecond) },
];

/** 3725 as "1 h 02 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
