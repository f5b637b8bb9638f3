/** An encoder that gives mean and log-variance, made of one that gives its posterior in another form. */
import { type PosteriorValues, spreadOf } from '../../architectures/onnx.js';
import { GraphBuilder, type Model } from '../../graph/index.js';
import { logVarianceOf } from '../../nn/spread.js';

/** The graph with two outputs more, and their names. */
export function withPosterior(
  model: Model,
  posterior: Exclude<PosteriorValues, { moments: string }>,
): { model: Model; mean: string; logVariance: string } {
  const g = GraphBuilder.from(model);
  const [spread, name] = spreadOf(posterior);
  const asOutput = (stem: string, value: ReturnType<typeof g.value>): string => {
    if (g.graph.outputs.some((output) => output.name === value.name)) return value.name;
    const made = g.unique(stem);
    g.output(made, value);
    return made;
  };
  const mean = asOutput('posterior_mean', g.value(posterior.mean));
  const logVariance = asOutput('posterior_log_variance', logVarianceOf(g, g.value(name), spread));
  return { model: g.model, mean, logVariance };
}
