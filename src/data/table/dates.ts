/** Dates and times as columns have them. A date is the number of milliseconds since 1970, UTC. */

/** Order of day, month and year, the mark between them, and how far the time goes. */
export interface DateFormat {
  readonly order: 'ymd' | 'dmy' | 'mdy';
  readonly mark: string;
  /** Between date and time; none where there is no time. */
  readonly join: '' | ' ' | 'T';
  /** Parts of the time: minutes, seconds, or so many decimals of a second. */
  readonly time: 'none' | 'minutes' | 'seconds' | 'fraction';
  /** Decimals of a second. */
  readonly decimals: number;
  /** `Z`, an offset such as +02:00 for all, or none. */
  readonly zone: string;
  /** Years have two digits. */
  readonly shortYear?: boolean | undefined;
}

const DATE =
  /^(\d{4}|\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{1,2})(?:([ T])(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d{2}:?\d{2})?)?$/;
/** Years of two digits from here on are of the last century, as strptime() has it. */
const LAST_CENTURY = 69;
const DAY = 86_400_000;

interface Parts {
  readonly numbers: readonly [number, number, number];
  readonly yearFirst: boolean;
  readonly shortYear: boolean;
  readonly mark: string;
  readonly join: '' | ' ' | 'T';
  readonly time: DateFormat['time'];
  readonly decimals: number;
  readonly ms: number;
  readonly zone: string;
}

function partsOf(text: string): Parts | undefined {
  const found = DATE.exec(text.trim());
  if (!found) return undefined;
  const [, a, mark, b, c, join = '', hour, minute, second, fraction, zone = ''] = found;
  const yearFirst = a!.length === 4;
  const shortYear = !yearFirst && c!.length === 2;
  // Numbers of versions and chapters look like it, so between points and hyphens all have two digits.
  if (shortYear ? mark !== '/' && (a!.length !== 2 || b!.length !== 2) : yearFirst === (c!.length === 4))
    return undefined;
  if (!shortYear && !yearFirst && c!.length !== 4) return undefined;
  const [h, m, s] = [hour, minute, second].map((part) => Number(part ?? 0)) as [number, number, number];
  if (h > 23 || m > 59 || s > 59) return undefined;
  const time =
    hour === undefined ? 'none' : second === undefined ? 'minutes' : fraction === undefined ? 'seconds' : 'fraction';
  const ms = ((h * 60 + m) * 60 + s) * 1000 + (fraction === undefined ? 0 : Number(`0.${fraction}`) * 1000);
  return {
    numbers: [Number(a), Number(b), Number(c)],
    yearFirst,
    shortYear,
    mark: mark!,
    join: join as Parts['join'],
    time,
    decimals: fraction?.length ?? 0,
    ms,
    zone,
  };
}

/** Whether a text looks like a date at all. */
export function looksLikeDate(text: string): boolean {
  const parts = partsOf(text);
  if (parts === undefined || !parts.shortYear) return parts !== undefined;
  return (['dmy', 'mdy'] as const).some((order) => readDate(text, { ...parts, order }) !== undefined);
}

/**
 * The format that all of these texts have; `unclear` where day and month cannot be told apart and `first` does not
 * say; undefined where there is none.
 */
export function dateFormatOf(texts: readonly string[], first?: 'dmy' | 'mdy'): DateFormat | 'unclear' | undefined {
  const all: Parts[] = [];
  for (const text of texts) {
    const parts = partsOf(text);
    if (parts === undefined) return undefined;
    all.push(parts);
  }
  const one = all[0];
  if (one === undefined) return undefined;
  const alike = all.every(
    ({ yearFirst, shortYear, mark, join, zone }) =>
      yearFirst === one.yearFirst &&
      shortYear === one.shortYear &&
      mark === one.mark &&
      join === one.join &&
      zone === one.zone,
  );
  if (!alike) return undefined;
  const times = ['none', 'minutes', 'seconds', 'fraction'] as const;
  let time = 0;
  let decimals = 0;
  for (const parts of all) {
    time = Math.max(time, times.indexOf(parts.time));
    decimals = Math.max(decimals, parts.decimals);
  }
  const make = (order: DateFormat['order']): DateFormat => ({
    ...{ order, mark: one.mark, join: one.join, time: times[time]!, decimals, zone: one.zone },
    ...(one.shortYear && { shortYear: true }),
  });
  const orders = (one.yearFirst ? ['ymd'] : ['dmy', 'mdy']) as DateFormat['order'][];
  const fitting = orders.map(make).filter((format) => texts.every((text) => readDate(text, format) !== undefined));
  if (fitting.length < 2) return fitting[0];
  const chosen = fitting.find(({ order }) => order === first);
  // Days come before months wherever points stand between them.
  return chosen ?? (one.mark === '.' ? fitting[0] : 'unclear');
}

/** Milliseconds since 1970; undefined for what is no date of this format. */
export function readDate(text: string, format: DateFormat): number | undefined {
  const parts = partsOf(text);
  if (parts === undefined || parts.yearFirst !== (format.order === 'ymd')) return undefined;
  if (parts.shortYear !== (format.shortYear ?? false)) return undefined;
  const [a, b, c] = parts.numbers;
  const [written, month, day] = format.order === 'ymd' ? [a, b, c] : format.order === 'dmy' ? [c, b, a] : [c, a, b];
  const year = parts.shortYear ? written + (written < LAST_CENTURY ? 2000 : 1900) : written;
  const start = Date.UTC(year, month - 1, day);
  const date = new Date(start);
  if (year < 100) date.setUTCFullYear(year);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return date.getTime() + parts.ms - offsetOf(parts.zone);
}

/** Milliseconds since 1970 as a date of this format, rounded to what the format shows. */
export function writeDate(value: number, { order, mark, join, time, decimals, zone, shortYear }: DateFormat): string {
  const unit = time === 'none' ? DAY : time === 'minutes' ? 60_000 : 1000 / 10 ** Math.min(3, decimals);
  const offset = offsetOf(zone);
  const date = new Date(Math.round((value + offset) / unit) * unit);
  if (Number.isNaN(date.getTime())) return '';
  const two = (part: number): string => String(part).padStart(2, '0');
  const year = String(date.getUTCFullYear())
    .padStart(4, '0')
    .slice(shortYear ? -2 : 0);
  const [month, day] = [two(date.getUTCMonth() + 1), two(date.getUTCDate())];
  const written = (
    order === 'ymd' ? [year, month, day] : order === 'dmy' ? [day, month, year] : [month, day, year]
  ).join(mark);
  if (time === 'none') return written;
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  const seconds = time === 'minutes' ? '' : `:${two(date.getUTCSeconds())}`;
  const fraction =
    time === 'fraction'
      ? `.${String(date.getUTCMilliseconds()).padStart(3, '0').padEnd(decimals, '0').slice(0, decimals)}`
      : '';
  return `${written}${join || ' '}${clock}${seconds}${fraction}${zone}`;
}

function offsetOf(zone: string): number {
  const found = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (!found) return 0;
  return (found[1] === '-' ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3])) * 60_000;
}
