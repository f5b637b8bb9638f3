/** Values that change while training runs: the learning rate, β, free bits. One table for all of them. */
import { z } from 'zod';
import type { InputOf } from '../../core/options.js';

/** Where training stands when a schedule is asked. */
export interface SchedulePoint {
  /** Optimizer steps taken since training began, from 0. */
  readonly step: number;
  /** Optimizer steps of the whole run. */
  readonly steps: number;
  /** Epochs done, with the fraction of the one under way. */
  readonly epoch: number;
  /** Loss of every epoch done: of the validation data, or of the training data where there is none. */
  readonly losses: readonly number[];
}

/** The value at a point. */
export type ScheduleFunction = (at: SchedulePoint) => number;

const value = z.number().min(0);
const fraction = z.number().min(0).max(1);
const count = z.int().min(0);

/** Steps of linear rise from 0 before the schedule itself begins; the schedule then spans the rest. */
const warmUp = { warmUpSteps: count.default(0) };

interface ScheduleDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly schema: S;
  /** `progress` runs from 0 at the end of warm-up to 1 at the last step. */
  make(options: z.output<S>): (progress: number, at: SchedulePoint) => number;
}

function define<S extends z.ZodObject>(definition: ScheduleDefinition<S>): ScheduleDefinition<S> {
  return definition;
}

const SCHEDULES = {
  constant: define({
    schema: z.strictObject({ type: z.literal('constant'), value, ...warmUp }),
    make: (options) => () => options.value,
  }),
  /** From `from` to `to` in a straight line over the run, or over `steps` of it. */
  linear: define({
    schema: z.strictObject({ type: z.literal('linear'), from: value, to: value, steps: count.optional(), ...warmUp }),
    make:
      ({ from, to, steps, warmUpSteps }) =>
      (progress, at) => {
        const part =
          steps === undefined ? progress : Math.min(1, Math.max(0, at.step - warmUpSteps) / Math.max(steps, 1));
        return from + (to - from) * part;
      },
  }),
  /** Half a cosine from `from` to `to` (Loshchilov and Hutter 2017, SGDR, without restarts). */
  cosine: define({
    schema: z.strictObject({ type: z.literal('cosine'), from: value, to: value.default(0), ...warmUp }),
    make:
      ({ from, to }) =>
      (progress) =>
        to + (from - to) * 0.5 * (1 + Math.cos(Math.PI * progress)),
  }),
  /** Rises by a cosine from peak/divide to peak, then falls to peak/finalDivide (Smith and Topin 2019). */
  oneCycle: define({
    schema: z.strictObject({
      type: z.literal('oneCycle'),
      peak: value,
      rise: fraction.default(0.3),
      divide: z.number().positive().default(25),
      finalDivide: z.number().positive().default(1e5),
      ...warmUp,
    }),
    make:
      ({ peak, rise, divide, finalDivide }) =>
      (progress) => {
        const between = (a: number, b: number, part: number): number =>
          b + (a - b) * 0.5 * (1 + Math.cos(Math.PI * part));
        if (progress < rise) return between(peak / divide, peak, progress / rise);
        return between(peak, peak / finalDivide, rise < 1 ? (progress - rise) / (1 - rise) : 1);
      },
  }),
  /** Multiplied by `decay` in every epoch, smoothly. */
  exponential: define({
    schema: z.strictObject({
      type: z.literal('exponential'),
      from: value,
      decay: z.number().positive().max(1),
      ...warmUp,
    }),
    make:
      ({ from, decay }) =>
      (_, { epoch }) =>
        from * decay ** epoch,
  }),
  /** Multiplied by `factor` after every `everyEpochs` epochs. */
  step: define({
    schema: z.strictObject({
      type: z.literal('step'),
      from: value,
      everyEpochs: z.int().positive(),
      factor: z.number().positive().max(1).default(0.1),
      ...warmUp,
    }),
    make:
      ({ from, everyEpochs, factor }) =>
      (_, { epoch }) =>
        from * factor ** Math.floor(epoch / everyEpochs),
  }),
  /** Multiplied by `factor` whenever the loss has not fallen by `minDelta` for `patience` epochs. */
  plateau: define({
    schema: z.strictObject({
      type: z.literal('plateau'),
      from: value,
      factor: z.number().positive().lt(1).default(0.5),
      patience: z.int().positive().default(5),
      minDelta: z.number().min(0).default(0),
      ...warmUp,
    }),
    make:
      ({ from, factor, patience, minDelta }) =>
      (_, { losses }) => {
        let best = Number.POSITIVE_INFINITY;
        let waited = 0;
        let reductions = 0;
        for (const loss of losses) {
          waited = loss < best - minDelta ? 0 : waited + 1;
          best = Math.min(best, loss);
          if (waited < patience) continue;
          reductions += 1;
          waited = 0;
        }
        return from * factor ** reductions;
      },
  }),
  /**
   * `cycles` rises from 0 to `value`, each taking `rise` of its cycle and then holding (Fu et al. 2019,
   * cyclical annealing of β).
   */
  cyclical: define({
    schema: z.strictObject({
      type: z.literal('cyclical'),
      value,
      cycles: z.int().positive().default(4),
      rise: fraction.default(0.5),
      ...warmUp,
    }),
    make: (options) => (progress) => {
      const within = (progress * options.cycles) % 1;
      return options.value * (options.rise === 0 ? 1 : Math.min(1, within / options.rise));
    },
  }),
} as const;

type Table = typeof SCHEDULES;
export type ScheduleName = keyof Table;
export type ScheduleConfig = { [K in ScheduleName]: z.output<Table[K]['schema']> }[ScheduleName];
/** A fixed value, a schedule by `type` with its options, or a function of where training stands. */
export type Schedule = number | ScheduleFunction | { [K in ScheduleName]: InputOf<Table[K]['schema']> }[ScheduleName];
type ScheduleInput = Exclude<Schedule, number | ScheduleFunction>;

const SCHEDULE_NAMES = Object.keys(SCHEDULES) as ScheduleName[];

const schemas = Object.values(SCHEDULES).map(({ schema }) => schema) as unknown as [z.ZodObject, ...z.ZodObject[]];

export const scheduleSchema = z.union(
  [
    value,
    z.custom<ScheduleFunction>((candidate) => typeof candidate === 'function'),
    z.discriminatedUnion('type', schemas) as unknown as z.ZodType<ScheduleConfig, ScheduleInput>,
  ],
  {
    error: `expected a number from 0, a function of { step, steps, epoch }, or { type: one of ${SCHEDULE_NAMES.join(', ')} }`,
  },
);

export function scheduleFunction(schedule: number | ScheduleFunction | ScheduleConfig): ScheduleFunction {
  if (typeof schedule === 'function') return schedule;
  if (typeof schedule === 'number') return () => schedule;
  const definition = SCHEDULES[schedule.type] as unknown as ScheduleDefinition;
  const { warmUpSteps } = schedule;
  const valueAt = definition.make(schedule) as (progress: number, at: SchedulePoint) => number;
  return (at) => {
    const progress = Math.min(1, Math.max(0, at.step - warmUpSteps) / Math.max(at.steps - 1 - warmUpSteps, 1));
    const rise = at.step < warmUpSteps ? (at.step + 1) / warmUpSteps : 1;
    return rise * valueAt(progress, at);
  };
}
