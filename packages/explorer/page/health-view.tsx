/** Whether the latent space is well: use of its dimensions, its shape beside the prior, its holes, and how it was trained. */
import { moveTo } from './actions.js';
import { BarChart, BesideNormal } from './charts.js';
import { Curves } from './curves.js';
import { RowView } from './row-view.js';
import { type Store, useStore } from './store.js';
import { useAsked } from './use-asked.js';

const SHOWN = 12;

export function HealthView({ store }: { store: Store }) {
  useStore(store);
  const { health, curves, progress, data, model } = store.model;
  return (
    <div class="page health">
      <h1>Health</h1>
      <dl class="facts">
        <div>
          <dt>Model</dt>
          <dd>{model.architecture}</dd>
        </div>
        <div>
          <dt>Latent</dt>
          <dd>{model.latentShape.join(' × ')}</dd>
        </div>
        <div>
          <dt>Likelihood</dt>
          <dd>{model.likelihood}</dd>
        </div>
        <div>
          <dt>Prior</dt>
          <dd>{model.prior}</dd>
        </div>
        {model.parameterCount > 0 && (
          <div>
            <dt>Parameters</dt>
            <dd>{model.parameterCount.toLocaleString('en-US')}</dd>
          </div>
        )}
        {health && (
          <div>
            <dt>In use</dt>
            <dd>
              {health.activeUnits} of {health.units}
            </dd>
          </div>
        )}
        {health && (
          <div>
            <dt>KL</dt>
            <dd>
              {health.kl.toFixed(2)} <small>nats per row</small>
            </dd>
          </div>
        )}
      </dl>
      {health === undefined && (
        <p class="muted">
          {data.source === 'prior'
            ? 'Give DATA to see how the model uses its latent space.'
            : progress.stage === 'ready'
              ? ''
              : 'Being measured …'}
        </p>
      )}
      {health && (
        <>
          {health.advice ? (
            <p class="advice" role="note">
              {health.advice}
            </p>
          ) : (
            <p class="good">Most latent dimensions are in use: no collapse.</p>
          )}
          {health.klPerDimension && (
            <section aria-label="KL by dimension">
              <BarChart
                title="KL divergence by dimension"
                unit={`nats, mean over ${health.rows.toLocaleString('en-US')} rows; grey: not in use`}
                bars={health.klPerDimension
                  .map((value, dimension) => ({ name: String(dimension), value, quiet: !health.active[dimension] }))
                  .sort((a, b) => b.value - a.value)
                  .slice(0, 128)}
              />
            </section>
          )}
          {health.aggregate.length > 0 && (
            <section aria-label="Aggregate posterior">
              <h2>What rows make of the prior</h2>
              <p class="muted">
                Bars: draws from the posteriors of all rows. Line: the standard normal. Where they differ, draws from
                the prior are not like rows.
              </p>
              <div class="small-charts">
                {health.aggregate.slice(0, SHOWN).map(({ dimension, mean, deviation, bins }) => (
                  <BesideNormal
                    key={dimension}
                    title={`z ${dimension}`}
                    bins={bins}
                    caption={`mean ${mean.toFixed(2)}, deviation ${deviation.toFixed(2)}`}
                  />
                ))}
              </div>
            </section>
          )}
          {health.holes && <Holes store={store} />}
        </>
      )}
      {curves && curves.length > 0 && (
        <section aria-label="Training curves">
          <h2>Training</h2>
          <Curves points={curves} />
        </section>
      )}
    </div>
  );
}

function Holes({ store }: { store: Store }) {
  const { holes } = store.model.health!;
  const answer = useAsked('holes', async () => (await store.backend.ask('holes')).arrays);
  const rows = answer?.['rows'] as Float32Array | undefined;
  const latents = answer?.['latents'] as Float32Array | undefined;
  const count = holes!.distances.length;
  return (
    <section aria-label="Holes">
      <h2>Holes</h2>
      <p>
        <b>{(100 * holes!.share).toFixed(1)} %</b> of {holes!.draws} draws from the prior lie farther from every row
        than {Math.round(100 * holes!.quantile)} % of rows lie from each other ({holes!.bound.toFixed(2)}).{' '}
        {holes!.share > 0.2
          ? 'Samples from there are like no row: a learned prior (vamp), or more weight on the KL divergence, closes such holes.'
          : 'The prior draws where rows are.'}
      </p>
      {rows && latents && rows.length > 0 && (
        <>
          <p class="muted">What the decoder makes of the farthest:</p>
          <div class={`strip of-${store.model.display.kind}`}>
            {Array.from({ length: count }, (_, index) => {
              const size = rows.length / count;
              const width = latents.length / count;
              return (
                <button
                  type="button"
                  key={index}
                  aria-label={`Open a draw at distance ${holes!.distances[index]!.toFixed(2)}`}
                  title={`Distance ${holes!.distances[index]!.toFixed(2)}`}
                  onClick={() => {
                    store.chosen.view = 'map';
                    moveTo(store, latents.slice(index * width, (index + 1) * width), 'draw');
                  }}
                >
                  <RowView
                    display={store.model.display}
                    row={rows.subarray(index * size, (index + 1) * size)}
                    label={`A draw at distance ${holes!.distances[index]!.toFixed(2)}`}
                    small
                  />
                </button>
              );
            })}
          </div>
        </>
      )}
    </section>
  );
}
