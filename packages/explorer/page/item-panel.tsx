/** The open item: what went in, what came out, what differs, and what its latent says. */
import { useState } from 'preact/hooks';
import { decode, drawOne, keptOf, labelName, openRow, readFile, resetCurrent, rowTitle } from './actions.js';
import { Distribution } from './distribution.js';
import type { Places } from './projections.js';
import { RowView } from './row-view.js';
import { Sliders } from './sliders.js';
import type { Current, Store } from './store.js';
import { Thumbs } from './thumbs.js';
import { useAsked } from './use-asked.js';

const NEIGHBOURS = 8;

export function ItemPanel({ store }: { store: Store; places: Places }) {
  const { current } = store;
  return (
    <aside class="item" aria-label="Item">
      {current ? <Item store={store} current={current} /> : <Empty store={store} />}
    </aside>
  );
}

function Empty({ store }: { store: Store }) {
  return (
    <div class="empty">
      <h2>Nothing is open</h2>
      <p>
        Press a point to open its row. Choose <b>Decode</b> and drag over the map to see what lies between the rows.
      </p>
      {store.backend.reads && <p>Drop a file of the model's kind anywhere on the page to place it on the map.</p>}
      <div class="line">
        <button type="button" class="primary" onClick={() => void openRow(store, 0)}>
          Open the first row
        </button>
        <button type="button" onClick={() => void drawOne(store, 1)}>
          Draw at random
        </button>
        <FileButton store={store} />
      </div>
    </div>
  );
}

function FileButton({ store }: { store: Store }) {
  if (!store.backend.reads) return null;
  return (
    <label class="button">
      Open a file
      <input
        type="file"
        class="hidden"
        multiple
        onChange={async ({ currentTarget }) => {
          for (const file of currentTarget.files ?? []) await readFile(store, file);
        }}
      />
    </label>
  );
}

function Item({ store, current }: { store: Store; current: Current }) {
  const [temperature, setTemperature] = useState(1);
  const { display } = store.model;
  const moved = current.latent.some((value, at) => value !== current.origin[at]) || current.rebuilt === undefined;
  const shown = useAsked(`${keyOf(current)}`, async () => {
    const started = performance.now();
    const rows = await decode(store, current.latent, current.label);
    performance.measure('drag to picture', { start: started, end: performance.now() });
    return rows;
  });
  const decoded = moved ? shown : current.rebuilt;
  const classes = store.model.model.classes;
  return (
    <>
      <header class="line">
        <h2 title={current.title} aria-live="polite">
          {current.title}
        </h2>
        {current.from === 'row' && labelName(store, store.map?.labels?.[current.row!]) && (
          <span class="tag">{labelName(store, store.map?.labels?.[current.row!])}</span>
        )}
        <button
          type="button"
          class="icon"
          aria-label="Close"
          onClick={() => {
            store.current = undefined;
            store.changed();
          }}
        >
          ×
        </button>
      </header>
      <div class={`faces of-${display.kind}`}>
        {current.original && (
          <Face title="Original">
            <RowView display={display} row={current.original} label="Original" encoded />
          </Face>
        )}
        {decoded && (
          <Face title={moved ? 'Decoded' : 'Reconstruction'} now>
            <RowView display={display} row={decoded} label={moved ? 'Decoded' : 'Reconstruction'} />
          </Face>
        )}
        {current.original && decoded && (
          <Face title="What differs">
            <RowView display={display} row={decoded} beside={current.original} label="What differs" />
          </Face>
        )}
      </div>
      <div class="line tools">
        <button
          type="button"
          onClick={() => resetCurrent(store)}
          disabled={!current.latent.some((value, at) => value !== current.origin[at])}
        >
          Reset
        </button>
        <button
          type="button"
          onClick={() => void drawOne(store, temperature).catch((error: Error) => store.tell(error.message))}
        >
          Draw at random
        </button>
        <label title="Standard deviation of the latents that are drawn">
          Temperature
          <input
            type="number"
            min={0}
            max={3}
            step={0.1}
            value={temperature}
            onInput={({ currentTarget }) => setTemperature(Math.max(0, Number(currentTarget.value)))}
          />
        </label>
        {classes && (
          <label>
            Label
            <select
              value={current.label}
              onChange={({ currentTarget }) => {
                // Another label decodes the same latent anew.
                store.current = { ...current, label: Number(currentTarget.value), rebuilt: undefined };
                store.changed();
              }}
            >
              {classes.map((name, index) => (
                <option key={name} value={index}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <Slots store={store} current={current} />
      {current.kl !== undefined && <Scores store={store} current={current} />}
      <Sliders store={store} current={current} />
      <Neighbours store={store} current={current} />
    </>
  );
}

function Face({ title, children, now }: { title: string; children: preact.ComponentChildren; now?: boolean }) {
  return (
    <figure class={now ? 'face now' : 'face'}>
      {children}
      <figcaption>{title}</figcaption>
    </figure>
  );
}

/** Items that are kept for the view between them. */
function Slots({ store, current }: { store: Store; current: Current }) {
  const { slots } = store.chosen;
  return (
    <div class="line slots">
      <span class="muted">Keep as</span>
      {['A', 'B', 'C', 'D'].map((name, index) => (
        <button
          type="button"
          key={name}
          aria-pressed={slots[index] !== undefined}
          title={slots[index]?.title ?? `Keep as ${name}`}
          onClick={() => {
            const next = [...slots];
            next[index] = {
              title: current.title,
              row: current.row,
              latent: current.latent.slice(),
              label: current.label,
            };
            store.choose({ slots: next });
          }}
        >
          {name}
        </button>
      ))}
      <button
        type="button"
        class="link"
        disabled={!slots[0] || !slots[1]}
        onClick={() => store.choose({ view: 'between' })}
      >
        Look between
      </button>
    </div>
  );
}

function Scores({ store, current }: { store: Store; current: Current }) {
  const { kl = 0, reconstruction = 0 } = current;
  const score = kl + reconstruction;
  return (
    <section aria-label="Scores">
      <dl class="scores">
        <div>
          <dt>Bound (ELBO)</dt>
          <dd>{(-score).toFixed(2)}</dd>
        </div>
        <div>
          <dt>Reconstruction</dt>
          <dd>{reconstruction.toFixed(2)}</dd>
        </div>
        <div>
          <dt>KL</dt>
          <dd>{kl.toFixed(2)}</dd>
        </div>
      </dl>
      <Distribution store={store} score={score} />
    </section>
  );
}

function Neighbours({ store, current }: { store: Store; current: Current }) {
  const answer = useAsked(keyOf(current), async () => {
    const { arrays } = await store.backend.ask(
      'nearest',
      { count: NEIGHBOURS + 1 },
      { latent: keptOf(store, current.latent) },
    );
    return [...(arrays['rows'] as Int32Array)];
  });
  const rows = (answer ?? []).filter((row) => row !== current.row).slice(0, NEIGHBOURS);
  return (
    <section aria-label="Nearest in latent space">
      <h3>Nearest in latent space</h3>
      <Thumbs
        store={store}
        rows={rows}
        title={(row) => rowTitle(store, row)}
        onPick={(row) => void openRow(store, row)}
      />
    </section>
  );
}

const keys = new WeakMap<Float32Array, number>();
let count = 0;

/** Tells one latent from another: they are never changed in place. */
function keyOf({ latent, label }: Current): string {
  if (!keys.has(latent)) {
    count += 1;
    keys.set(latent, count);
  }
  return `${keys.get(latent)} ${label}`;
}
