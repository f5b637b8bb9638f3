/** A slider for every latent dimension in use, those with most KL first: each moves the open item. */
import { useState } from 'preact/hooks';
import { moveTo } from './actions.js';
import type { Current, Store } from './store.js';

const FIRST = 8;
const REACH = 3.5;

/** Dimensions in use, by KL; before it is known, by variance. */
function dimensionsByUse({ model }: Store): { dimension: number; kl: number | undefined }[] {
  const { health, kept } = model;
  if (health === undefined) return kept.map((dimension) => ({ dimension, kl: undefined }));
  const { klPerDimension: kl, active } = health;
  const order = kl ? active.map((_, index) => index).sort((a, b) => kl[b]! - kl[a]!) : [...kept];
  return order.filter((index) => active[index]).map((dimension) => ({ dimension, kl: kl?.[dimension] }));
}

export function Sliders({ store, current }: { store: Store; current: Current }) {
  const [all, setAll] = useState(false);
  const used = dimensionsByUse(store);
  // Of a model that uses none, those that vary most, so that this can be seen.
  const found =
    used.length > 0 ? used : store.model.kept.slice(0, FIRST).map((dimension) => ({ dimension, kl: undefined }));
  const shown = found.slice(0, all ? 64 : FIRST);
  return (
    <section aria-label="Latent dimensions">
      <h3>Latent dimensions{used.length === 0 ? ': none is in use' : store.model.health ? ', most KL first' : ''}</h3>
      <div class="sliders">
        {shown.map(({ dimension, kl }) => {
          const value = current.latent[dimension]!;
          const reach = Math.max(REACH, Math.ceil(Math.abs(current.origin[dimension]!) + 1));
          return (
            <label key={dimension} class="slider">
              <span>z {dimension}</span>
              <input
                type="range"
                min={-reach}
                max={reach}
                step={0.01}
                value={value}
                aria-label={`Latent dimension ${dimension}${kl === undefined ? '' : `, ${kl.toFixed(2)} nats`}`}
                onInput={({ currentTarget }) => {
                  const latent = store.current!.latent.slice();
                  latent[dimension] = Number(currentTarget.value);
                  moveTo(store, latent);
                }}
              />
              <output>{value.toFixed(2)}</output>
              <span class="muted kl">{kl === undefined ? '' : `${kl.toFixed(2)} nats`}</span>
            </label>
          );
        })}
      </div>
      {found.length > FIRST && (
        <button type="button" class="link" onClick={() => setAll(!all)}>
          {all ? 'Fewer' : `All ${Math.min(64, found.length)}`}
        </button>
      )}
    </section>
  );
}
