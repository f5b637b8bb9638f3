import { describe, expect, test } from 'vitest';
import { parseOptions } from '../../src/core/options.js';
import { type Schedule, scheduleFunction, scheduleSchema } from '../../src/training/loop/schedules.js';

/** Values at each of the steps of a run of `epochs` epochs. */
function values(schedule: Schedule, steps = 101, epochs = 10, losses: number[] = []): number[] {
  const at = scheduleFunction(parseOptions(scheduleSchema, schedule, 'test'));
  return Array.from({ length: steps }, (_, step) => at({ step, steps, epoch: (step / steps) * epochs, losses }));
}

describe('schedules', () => {
  test('constant, as a number and by name', () => {
    expect(new Set(values(0.5))).toEqual(new Set([0.5]));
    expect(new Set(values({ type: 'constant', value: 0.5 }))).toEqual(new Set([0.5]));
  });

  test('linear goes from one end to the other, and may end early', () => {
    const whole = values({ type: 'linear', from: 1, to: 0 });
    expect([whole[0], whole[50], whole[100]]).toEqual([1, 0.5, 0]);
    const early = values({ type: 'linear', from: 0, to: 2, steps: 10 });
    expect([early[0], early[5], early[10], early[100]]).toEqual([0, 1, 2, 2]);
  });

  test('cosine is half way in the middle and flat at its ends', () => {
    const cosine = values({ type: 'cosine', from: 1 });
    expect(cosine[0]).toBe(1);
    expect(cosine[50]).toBeCloseTo(0.5, 12);
    expect(cosine[100]).toBeCloseTo(0, 12);
    expect(1 - cosine[1]!).toBeLessThan(0.001);
  });

  test('one cycle peaks where it says, between its low ends', () => {
    const cycle = values({ type: 'oneCycle', peak: 1, rise: 0.3 });
    expect(cycle[0]).toBeCloseTo(1 / 25, 12);
    expect(cycle[30]).toBeCloseTo(1, 12);
    expect(Math.max(...cycle)).toBeLessThanOrEqual(1);
    expect(cycle[100]).toBeCloseTo(1e-5, 12);
  });

  test('exponential and step fall by epochs', () => {
    expect(values({ type: 'exponential', from: 1, decay: 0.5 }, 11, 11)[3]).toBeCloseTo(0.125, 12);
    const steps = values({ type: 'step', from: 1, everyEpochs: 2, factor: 0.1 }, 10, 10);
    expect(steps.map((value) => Math.round(Math.abs(Math.log10(value))))).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  });

  test('cyclical rises as often as asked', () => {
    const cyclical = values({ type: 'cyclical', value: 1, cycles: 4, rise: 0.5 }, 1001);
    const starts = cyclical.filter((value, index) => value === 0 || (index > 0 && value < cyclical[index - 1]!)).length;
    expect(starts).toBeGreaterThanOrEqual(4);
    expect(cyclical[125]).toBeCloseTo(1, 2);
    expect(cyclical[62]).toBeCloseTo(0.5, 1);
  });

  test('warm-up rises in a straight line to where the schedule begins', () => {
    const warm = values({ type: 'cosine', from: 1, warmUpSteps: 10 });
    expect(warm.slice(0, 10).map((value) => Math.round(value * 10))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(warm[10]).toBeCloseTo(1, 12);
    expect(warm[100]).toBeCloseTo(0, 12);
  });

  test('plateau falls when the loss does not', () => {
    const rateAfter = (losses: number[]) => values({ type: 'plateau', from: 1, patience: 2 }, 1, 1, losses)[0];
    expect(rateAfter([5, 4, 3, 2, 1])).toBe(1);
    expect(rateAfter([5, 4, 4])).toBe(1);
    expect(rateAfter([5, 4, 4, 4])).toBe(0.5);
    expect(rateAfter([5, 4, 4, 4, 3, 3, 3])).toBe(0.25);
  });

  test('a function is asked as it is', () => {
    expect(values(({ step }) => step)).toEqual(Array.from({ length: 101 }, (_, step) => step));
  });

  test.each([-1, Number.NaN, 'fast', { type: 'cubic' }, { type: 'linear', from: 1 }])('%o is refused', (schedule) => {
    expect(() => parseOptions(scheduleSchema, schedule, 'fit()')).toThrowError(/fit\(\)/);
  });
});
