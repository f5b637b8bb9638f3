/** Values of flags, checked where they come in. */
import { InvalidArgumentError } from 'commander';

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
    }
    return value;
  };
}

export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('Expected a number from 0.');
  return value;
}

/** `400,200` */
export function widths(text: string): number[] {
  return text.split(',').map((part) => {
    try {
      return wholeNumber(1)(part.trim());
    } catch {
      throw new InvalidArgumentError('Expected whole numbers with commas between them, such as 400,200.');
    }
  });
}

/** `3`, or `0,1,2` */
export function classNumbers(text: string): number[] {
  return text.split(',').map((part) => {
    try {
      return wholeNumber(0)(part.trim());
    } catch {
      throw new InvalidArgumentError('Expected class numbers with commas between them, such as 3 or 0,1,2.');
    }
  });
}

/** A name, or a JSON object with `type` and options. */
export function nameOrJson(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('Expected a name, or JSON such as \'{"type":"NAME", …}\'.');
  }
}

export interface Setting {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Collects `key.inner=value`; the value is JSON where it can be, else text. */
export function setting(text: string, before: readonly Setting[] = []): Setting[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected KEY=VALUE, such as fit.emaDecay=0.999.');
  const raw = text.slice(at + 1);
  let value: unknown = raw;
  try {
    value = JSON.parse(raw);
  } catch {
    // Text stays text.
  }
  return [...before, { path: text.slice(0, at).split('.'), value }];
}
