/** Progress on stderr: a bar that moves on a terminal, plain lines elsewhere. */
import { Presets, SingleBar } from 'cli-progress';
import type { EpochProgress, FitProgress, StepProgress } from '../index.js';
import { count, note } from './output.js';

/** Shows a training run. `close()` in a finally block: the bar hides the cursor. */
export class TrainingProgress {
  readonly #unit: string;
  #bar: SingleBar | undefined;
  #interactive = process.stderr.isTTY === true;

  /** @param unit what one example is called, such as `rows`. */
  constructor(unit: string, signal: AbortSignal) {
    this.#unit = unit;
    // What is said about the interruption must not be drawn over.
    signal.addEventListener('abort', () => {
      this.close();
      this.#interactive = false;
    });
  }

  show(event: FitProgress): void {
    if (event.kind === 'step') this.#step(event);
    else if (event.kind === 'epoch') this.#line(epochLine(event, this.#unit));
    else this.#line(`warning (epoch ${event.epoch}, step ${event.step}): ${event.message}`);
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
      left: duration(secondsLeft),
      unit: this.#unit,
    };
    if (this.#bar) this.#bar.update(step, shown);
    else {
      this.#bar = new SingleBar(
        {
          format: 'epoch {epoch}/{epochs} [{bar}] {percentage}%  loss {loss}  {rate} {unit}/s  {left} left',
          hideCursor: true,
          barsize: 24,
          stream: process.stderr,
        },
        Presets.shades_classic,
      );
      this.#bar.start(steps, step, shown);
    }
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

/** A bar over a known number of rows; nothing off a terminal or for work that is over at once. */
export class RowProgress {
  readonly #bar: SingleBar | undefined;

  constructor(what: string, total: number, least: number) {
    if (process.stderr.isTTY !== true || total <= least) return;
    this.#bar = new SingleBar(
      {
        format: `${what} [{bar}] {value}/{total}  {eta_formatted} left`,
        hideCursor: true,
        barsize: 32,
        stream: process.stderr,
      },
      Presets.shades_classic,
    );
    this.#bar.start(total, 0);
  }

  update(rows: number): void {
    this.#bar?.update(rows);
  }

  close(): void {
    this.#bar?.stop();
  }
}

function epochLine({ epoch, epochs, train, validation, examplesPerSecond }: EpochProgress, unit: string): string {
  const parts = [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `loss ${train.loss.toFixed(2)} (reconstruction ${train.reconstruction.toFixed(2)}, KL ${train.kl.toFixed(2)})`,
  ];
  if (validation) parts.push(`validation ${validation.loss.toFixed(2)}`);
  parts.push(`${count(examplesPerSecond)} ${unit}/s`);
  return parts.join('  ');
}

/** 3725 as "1 h 02 min". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
