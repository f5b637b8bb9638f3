/** Between two or four items: a strip, a slider, and arithmetic. */
import { useState } from 'preact/hooks';
import { decode, moveTo } from './actions.js';
import { between, joined, sumOf } from './paths.js';
import { RowView } from './row-view.js';
import { SlotPicker } from './slot-picker.js';
import { type Slot, type Store, useStore } from './store.js';
import { useAsked } from './use-asked.js';

const STEPS = 9;
const SIDE = 5;

export function BetweenView({ store }: { store: Store }) {
  useStore(store);
  const [spherical, setSpherical] = useState(store.wanted['w'] === 'spherical');
  if (!store.map) return <p class="waiting">Waiting for the map …</p>;
  const [a, b, c, d] = store.chosen.slots;
  return (
    <div class="page between">
      <div class="line">
        <h1>Between</h1>
        <fieldset class="group" aria-label="Path">
          {[false, true].map((one) => (
            <button
              type="button"
              key={String(one)}
              aria-pressed={spherical === one}
              onClick={() => {
                setSpherical(one);
                (store.wanted as Record<string, string>)['w'] = one ? 'spherical' : '';
                store.changed();
              }}
            >
              {one ? 'Spherical' : 'Straight'}
            </button>
          ))}
        </fieldset>
      </div>
      <SlotPicker store={store} />
      {a && b ? (
        <>
          {c && d ? (
            <Grid store={store} slots={[a, b, c, d]} spherical={spherical} />
          ) : (
            <Strip store={store} a={a} b={b} spherical={spherical} />
          )}
          <OnTheWay store={store} a={a} b={b} spherical={spherical} />
        </>
      ) : (
        <p class="muted">
          Choose two items, A and B, here or in the map; with C and D the view becomes a grid between all four.
        </p>
      )}
      {a && b && c && <Arithmetic store={store} a={a} b={b} c={c} />}
    </div>
  );
}

const keyOf = (...slots: readonly Slot[]): string =>
  slots.map(({ latent, label, title }) => `${title} ${label} ${latent.slice(0, 8).join()}`).join('|');

function Strip({ store, a, b, spherical }: { store: Store; a: Slot; b: Slot; spherical: boolean }) {
  const steps = Array.from({ length: STEPS }, (_, index) =>
    between(a.latent, b.latent, index / (STEPS - 1), spherical),
  );
  const rows = useAsked(`${keyOf(a, b)} ${spherical}`, () => decode(store, joined(steps), a.label));
  if (!rows) return <div class="strip" aria-busy="true" />;
  const size = rows.length / STEPS;
  return (
    <section aria-label="From A to B">
      <h2>From A to B</h2>
      <div class={`strip of-${store.model.display.kind}`}>
        {steps.map((latent, index) => (
          <button
            type="button"
            key={index}
            title="Open"
            aria-label={`Open step ${index + 1} of ${STEPS}`}
            onClick={() => open(store, latent)}
          >
            <RowView
              display={store.model.display}
              row={rows.subarray(index * size, (index + 1) * size)}
              label={`Step ${index + 1} of ${STEPS}`}
              small
            />
          </button>
        ))}
      </div>
    </section>
  );
}

function Grid({
  store,
  slots: [a, b, c, d],
  spherical,
}: {
  store: Store;
  slots: readonly [Slot, Slot, Slot, Slot];
  spherical: boolean;
}) {
  const places = Array.from({ length: SIDE * SIDE }, (_, index) => {
    const [x, y] = [(index % SIDE) / (SIDE - 1), Math.floor(index / SIDE) / (SIDE - 1)];
    return between(between(a.latent, b.latent, x, spherical), between(c.latent, d.latent, x, spherical), y, spherical);
  });
  const rows = useAsked(`${keyOf(a, b, c, d)} ${spherical}`, () => decode(store, joined(places), a.label));
  if (!rows) return <div class="grid" aria-busy="true" />;
  const size = rows.length / places.length;
  return (
    <section aria-label="Between A, B, C and D">
      <h2>Between all four</h2>
      <div class={`grid of-${store.model.display.kind}`} style={{ '--side': SIDE }}>
        {places.map((latent, index) => (
          <button
            type="button"
            key={index}
            title="Open"
            aria-label={`Open column ${1 + (index % SIDE)}, line ${1 + Math.floor(index / SIDE)}`}
            onClick={() => open(store, latent)}
          >
            <RowView
              display={store.model.display}
              row={rows.subarray(index * size, (index + 1) * size)}
              label={`Place ${index + 1}`}
              small
            />
          </button>
        ))}
      </div>
    </section>
  );
}

function OnTheWay({ store, a, b, spherical }: { store: Store; a: Slot; b: Slot; spherical: boolean }) {
  const [part, setPart] = useState(0.5);
  const latent = between(a.latent, b.latent, part, spherical);
  const row = useAsked(`${keyOf(a, b)} ${spherical} ${part}`, () => decode(store, latent, a.label));
  return (
    <section aria-label="On the way" class="way">
      <h2>On the way</h2>
      <label class="wide">
        A
        <input
          type="range"
          min={0}
          max={1}
          step={0.005}
          value={part}
          aria-label="Part of the way from A to B"
          onInput={({ currentTarget }) => setPart(Number(currentTarget.value))}
        />
        B
      </label>
      <figure class="face now">
        {row && <RowView display={store.model.display} row={row} label={`${Math.round(100 * part)} % of the way`} />}
        <figcaption>
          {Math.round(100 * part)} % of the way ·{' '}
          <button type="button" class="link" onClick={() => open(store, latent)}>
            open
          </button>
        </figcaption>
      </figure>
    </section>
  );
}

function Arithmetic({ store, a, b, c }: { store: Store; a: Slot; b: Slot; c: Slot }) {
  const latent = sumOf(a.latent, b.latent, c.latent);
  const rows = useAsked(keyOf(a, b, c), () => decode(store, joined([a.latent, b.latent, c.latent, latent]), a.label));
  if (!rows) return null;
  const size = rows.length / 4;
  return (
    <section aria-label="A minus B plus C">
      <h2>A − B + C</h2>
      <div class={`sum of-${store.model.display.kind}`}>
        {['A', '− B', '+ C', '='].map((sign, index) => (
          <figure key={sign} class={index === 3 ? 'face now' : 'face'}>
            <RowView
              display={store.model.display}
              row={rows.subarray(index * size, (index + 1) * size)}
              label={sign}
              small
            />
            <figcaption>{sign}</figcaption>
          </figure>
        ))}
      </div>
      <button type="button" onClick={() => open(store, latent)}>
        Open the result
      </button>
    </section>
  );
}

function open(store: Store, latent: Float32Array): void {
  store.chosen.view = 'map';
  moveTo(store, latent, 'between');
}
