/** Which values a model is defined on, and the one check of them. */
import { VaeError } from '../core/errors.js';
import { firstNonFinite } from '../core/finite.js';

export interface Domain {
  /** All numbers, 0 to 1, or evenly spaced levels from 0 to 1. */
  readonly kind: 'real' | 'unit' | 'levels';
  /** How many levels, where it is those. */
  readonly levels?: number | undefined;
}

export const REAL: Domain = { kind: 'real' };

/** How far from a level a value may be, in levels: what float32 makes of one. */
const ROUNDING = 1e-3;

/** What a likelihood is defined on. */
export function domainOf({ domain, levels }: { readonly domain: Domain['kind']; readonly levels?: number }): Domain {
  return { kind: domain, levels };
}

/** As the addon takes it: bounds, and steps between them where only levels are. */
export function nativeDomain({ kind, levels }: Domain): { low: number; high: number; steps: number } | undefined {
  return kind === 'real' ? undefined : { low: 0, high: 1, steps: kind === 'levels' ? levels! - 1 : 0 };
}

/** Index of the first value outside; −1 where all are inside. */
export function firstOutside(values: ArrayLike<number>, { kind, levels }: Domain, scale = 1): number {
  if (kind === 'real') return values instanceof Float32Array ? firstNonFinite(values) : -1;
  const steps = kind === 'levels' ? (levels! - 1) * scale : 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]! * scale;
    if (!(value >= 0 && value <= 1)) return index;
    if (steps > 0 && Math.abs(values[index]! * steps - Math.round(values[index]! * steps)) > ROUNDING) return index;
  }
  return -1;
}

/** @throws VaeError ERR_VAE_DATA naming row and value of the first that is outside. */
export function checkDomain(
  values: Float32Array,
  domain: Domain,
  { firstRow, width, where }: { readonly firstRow: number; readonly width: number; readonly where: string },
): void {
  const bad = firstOutside(values, domain);
  if (bad < 0) return;
  const row = firstRow + Math.floor(bad / width);
  const value = values[bad]!;
  if (!Number.isFinite(value)) {
    throw new VaeError('ERR_VAE_DATA', `${where}: row ${row} holds ${value}; every value must be a finite number.`);
  }
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: ${problemOf(domain)}, but row ${row} holds ${value}. ${remedyOf(domain)}`,
  );
}

function problemOf({ kind, levels }: Domain): string {
  return kind === 'levels'
    ? `this model's likelihood is defined on ${levels} levels from 0 to 1, multiples of 1/${levels! - 1}`
    : "this model's likelihood is defined on values from 0 to 1";
}

function remedyOf({ kind }: Domain): string {
  const scaled = 'Scale the data as in training (8-bit values in a Uint8Array are: they stand for fractions of 255)';
  return kind === 'levels' ? `${scaled}, and round it.` : `${scaled}.`;
}
