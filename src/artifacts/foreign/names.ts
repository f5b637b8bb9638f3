/** What the names of outputs and of layers say that a value is. */
import type { Spread } from '../../nn/spread.js';

/** `width`: something of the spread, in a form that the name leaves open. */
export type Meaning = 'mean' | 'draw' | 'width' | Spread;

/** Tried in this order: the first that matches a whole word of the name counts. */
const WORDS: readonly (readonly [RegExp, Meaning])[] = [
  [/(log|ln)_?(co)?var(iance)?s?/, 'logVariance'],
  [/(log|ln)_?(sigma|std|s|sd|scale)_?(sq|squared|square|\^2)/, 'logVariance'],
  [/(log|ln)_?(sigma|s|std|sd)2/, 'logVariance'],
  [/lv|lvar|logv|log_v|l_var/, 'logVariance'],
  // Whether it is a number of the name or an exponent, nobody can say.
  [/(log_?|ln_?)?(sigma|std|sd|scale)_2/, 'width'],
  [/(log|ln)_?(std|stds|stdev|std_?dev|sd|sigma|sigmas|scale|scales|(standard_?)?deviation)/, 'logStd'],
  [/lstd|lsigma/, 'logStd'],
  [/(sigma|std|sd|scale)_?(sq|squared|square)|(sigma|std|sd)2/, 'variance'],
  [/(co)?var|vars|(co)?variance|variances/, 'variance'],
  [/std|stds|stdev|std_?dev|sd|sigma|sigmas|scale|scales|(standard_?)?deviation/, 'std'],
  [/spread|width|dispersion|precision|uncertainty/, 'width'],
  [/means?|mu|mus|loc|locs|location|cent(er|re)|average|avg|expectation/, 'mean'],
  [/samples?|sampled|draws?|drawn|reparam(eteri[sz]ed?)?|z|latents?|code|codes|embedding|encoded/, 'draw'],
];

const PATTERNS = WORDS.map(([word, meaning]) => [new RegExp(`(^|_)(${word.source})(_|$)`), meaning] as const);

/**
 * What a name says, read as words: `z_log_var`, `zLogVar`, `encoder.fc_mu.weight`, `log_var:0`. Undefined where it
 * says nothing.
 */
export function meaningOf(name: string): Meaning | undefined {
  const words = name
    .replace(/:\d+$/, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/σ/g, 'sigma')
    .replace(/μ|µ/g, 'mu')
    .replace(/²/g, '2')
    .replace(/[^a-z0-9]+/g, '_');
  return PATTERNS.find(([pattern]) => pattern.test(words))?.[1];
}

export function isSpread(meaning: Meaning | undefined): meaning is Spread {
  return meaning !== undefined && meaning !== 'mean' && meaning !== 'draw' && meaning !== 'width';
}
