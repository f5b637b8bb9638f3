/** Closed intervals of real numbers, ends included, infinite ones too. */
export type Interval = readonly [low: number, high: number];

/** What nothing is known of. */
export const ANY: Interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

export function hull(...parts: readonly Interval[]): Interval {
  return [Math.min(...parts.map(([low]) => low)), Math.max(...parts.map(([, high]) => high))];
}

/** The values of a function that rises throughout. */
export function rising(f: (x: number) => number): (x: Interval) => Interval {
  return ([low, high]) => [f(low), f(high)];
}

export function falling(f: (x: number) => number): (x: Interval) => Interval {
  return ([low, high]) => [f(high), f(low)];
}

/** The values of a function that falls down to one place and rises from there. */
export function withLeast(at: number, f: (x: number) => number): (x: Interval) => Interval {
  return ([low, high]) => [low <= at && at <= high ? f(at) : Math.min(f(low), f(high)), Math.max(f(low), f(high))];
}

export const add = (a: Interval, b: Interval): Interval => [a[0] + b[0], a[1] + b[1]];
export const negate = ([low, high]: Interval): Interval => [-high, -low];
export const subtract = (a: Interval, b: Interval): Interval => add(a, negate(b));

export function multiply(a: Interval, b: Interval): Interval {
  // Nothing times no matter how much is nothing.
  const products = a.flatMap((x) => b.map((y) => (x === 0 || y === 0 ? 0 : x * y)));
  return [Math.min(...products), Math.max(...products)];
}

/** 1/x; anything where x may be zero, but for a zero at an end. */
export function reciprocal([low, high]: Interval): Interval {
  if (low < 0 && high > 0) return ANY;
  return [high === 0 ? Number.NEGATIVE_INFINITY : 1 / high, low === 0 ? Number.POSITIVE_INFINITY : 1 / low];
}

export const divide = (a: Interval, b: Interval): Interval => multiply(a, reciprocal(b));

export function clamp([low, high]: Interval, [least, most]: Interval): Interval {
  return [Math.min(Math.max(low, least), most), Math.min(Math.max(high, least), most)];
}

/** x to a power that is a number. */
export function power(x: Interval, exponent: number): Interval {
  const whole = Number.isInteger(exponent);
  if (exponent < 0) return reciprocal(power(x, -exponent));
  if (whole && exponent % 2 === 0) return withLeast(0, (value) => value ** exponent)(x);
  if (whole) return rising((value) => value ** exponent)(x);
  return rising((value) => value ** exponent)(clamp(x, [0, Number.POSITIVE_INFINITY]));
}
