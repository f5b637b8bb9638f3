/** The map: every row as a point. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { labelName, moveTo, openRow, rowTitle } from './actions.js';
import { ItemPanel } from './item-panel.js';
import { Legend } from './legend.js';
import { MapBar } from './map-bar.js';
import { colourOf, paintingOf } from './map-colours.js';
import { type Camera, Plot } from './plot.js';
import { dimsPlaces, type Places, pcaPlaces, umap, umapPlaces, wholeLatent } from './projections.js';
import { RowView } from './row-view.js';
import { SelectionBar } from './selection-bar.js';
import { type Store, useStore } from './store.js';
import { useAsked } from './use-asked.js';

/** UMAP of these latents, once it is there. */
const umaps = new WeakMap<Float32Array, Float32Array>();

export function MapView({ store }: { store: Store }) {
  useStore(store);
  const { map, chosen, model } = store;
  const [part, setPart] = useState<number | undefined>(undefined);
  const places = usePlaces(store, setPart);
  if (map === undefined || places === undefined) return <Waiting store={store} />;
  return (
    <div class="map-view">
      <section class="map-side" aria-label="Map of the latent space">
        <MapBar store={store} />
        <PlotArea store={store} places={places} />
        <div class="below">
          <Legend store={store} />
          <span class="muted small">
            {part !== undefined && chosen.projection === 'umap'
              ? `UMAP: ${Math.round(100 * part)} %, PCA meanwhile`
              : `${places.axes[0]} → · ${places.axes[1]} ↑`}
            {model.data.source === 'prior' && ' · draws from the prior: give DATA to see rows'}
          </span>
        </div>
        <SelectionBar store={store} />
      </section>
      <ItemPanel store={store} places={places} />
    </div>
  );
}

function Waiting({ store }: { store: Store }) {
  const { progress } = store.model;
  const { done, total } = progress;
  return (
    <div class="waiting" role="status">
      <p>
        {progress.stage === 'failed'
          ? `It failed: ${progress.message}`
          : store.model.run
            ? 'Waiting for the first epoch …'
            : `Encoding ${total.toLocaleString('en-US')} rows …`}
      </p>
      <progress max={total} value={done} aria-label="Rows encoded" />
    </div>
  );
}

function usePlaces(store: Store, progress: (part: number | undefined) => void): Places | undefined {
  const { map, chosen, model } = store;
  const [, again] = useState(0);
  const wanted = chosen.projection;
  useEffect(() => {
    if (wanted !== 'umap' || !map || umaps.has(map.latents) || map.mean.length < 2) return;
    progress(0);
    umap(map, progress)
      .then((points) => {
        umaps.set(map.latents, points);
        progress(undefined);
        again((count) => count + 1);
      })
      .catch((error: Error) => store.tell(error.message));
  }, [wanted, map]);
  const found = map && umaps.get(map.latents);
  return useMemo(() => {
    if (!map) return undefined;
    if (wanted === 'umap' && found) return umapPlaces(map, found);
    const [a, b] = chosen.dims;
    const fits = Math.max(a, b) < model.kept.length;
    return wanted === 'dims' && fits ? dimsPlaces(map, model.kept, chosen.dims) : pcaPlaces(map);
  }, [map, wanted, chosen.dims.join(), found]);
}

/** Keys and what they do to the plot: right, up, magnification. */
const KEYS: Readonly<Record<string, readonly [number, number, number]>> = {
  ArrowRight: [0.08, 0, 1],
  ArrowLeft: [-0.08, 0, 1],
  ArrowUp: [0, 0.08, 1],
  ArrowDown: [0, -0.08, 1],
  '+': [0, 0, 1.25],
  '=': [0, 0, 1.25],
  '-': [0, 0, 0.8],
};

function PlotArea({ store, places }: { store: Store; places: Places }) {
  const { map, chosen, current } = store;
  const area = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const before = useRef<{ key: string; rows: number } | undefined>(undefined);
  const [over, setOver] = useState<number | undefined>(undefined);
  const [rope, setRope] = useState<readonly (readonly [number, number])[] | undefined>(undefined);
  const [, seen] = useState(0);
  useEffect(() => {
    const made = new Plot(canvas.current!, {
      over: setOver,
      pick: (rows, lasso) => {
        if (lasso || rows.length !== 1) store.choose({ selected: rows });
        else void openRow(store, rows[0]!);
      },
      view: () => {
        store.chosen.camera = cameraText(made.view);
        seen((count) => count + 1);
        scheduleLink(store);
      },
      lasso: setRope,
    });
    plot.current = made;
    if (import.meta.env.DEV || location.search.includes('test')) Object.assign(globalThis, { explorerPlot: made });
    const sizes = new ResizeObserver(([entry]) => made.resize(entry!.contentRect.width, entry!.contentRect.height));
    sizes.observe(area.current!);
    return () => {
      sizes.disconnect();
      made.destroy();
    };
  }, []);
  const painting = useMemo(() => paintingOf(store), [map, map?.kl, colourOf(store)]);
  useEffect(() => {
    const rows = places.points.length / 2;
    const moves =
      before.current !== undefined &&
      before.current.rows === rows &&
      store.model.run !== undefined &&
      before.current.key === places.key;
    const first = before.current === undefined;
    before.current = { key: places.key, rows };
    void plot.current!.draw({ ...painting, points: places.points }, moves).then(() => {
      const camera = first ? cameraOf(chosen.camera) : undefined;
      if (camera) plot.current!.view = camera;
      performance.mark('map drawn');
      canvas.current?.setAttribute('data-drawn', String(rows));
      seen((count) => count + 1);
    });
  }, [places, painting]);
  useEffect(() => {
    plot.current!.lasso = chosen.tool === 'lasso';
  }, [chosen.tool]);
  const searched = chosen.selected.join();
  useEffect(() => {
    plot.current!.select(chosen.selected);
  }, [searched]);
  const decodeAt = (event: PointerEvent): void => {
    const { left, top } = area.current!.getBoundingClientRect();
    const [x, y] = plot.current!.toPlace(event.clientX - left, event.clientY - top);
    const near = store.current && Float32Array.from(store.model.kept, (dimension) => store.current!.latent[dimension]!);
    const kept = places.latent(x, y, near);
    performance.mark('drag');
    moveTo(store, wholeLatent(store, kept, store.current?.latent), store.current ? undefined : 'map');
  };
  const dragging = (event: PointerEvent): void => {
    if (event.buttons === 1) decodeAt(event);
  };
  const keptNow = current && Float32Array.from(store.model.kept, (dimension) => current.latent[dimension]!);
  return (
    <div
      ref={area}
      class={`plot tool-${chosen.tool}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application, which takes keys
      tabIndex={0}
      role="application"
      aria-label={`Map of ${(places.points.length / 2).toLocaleString('en-US')} points by ${places.axes.join(' and ')}. Arrow keys move, plus and minus magnify, N and P open the next and the previous row, D, L and V choose the tool.`}
      onKeyDown={(event) => onKey(event, store, plot.current!)}
    >
      <canvas ref={canvas} data-export="map" />
      {chosen.tool === 'decode' && (
        <div
          class="catch"
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            decodeAt(event);
          }}
          onPointerMove={dragging}
        />
      )}
      <svg class="marks" aria-hidden="true">
        {rope && <polygon class="rope" points={rope.map(([x, y]) => `${x},${y}`).join(' ')} />}
        {store.dropped.map(({ kept, name }) => (
          <Mark key={name} plot={plot.current} at={places.place(kept)} kind="file" />
        ))}
        {chosen.slots.map((slot, index) =>
          slot ? (
            <Mark
              key={`s${index}`}
              plot={plot.current}
              at={places.place(Float32Array.from(store.model.kept, (d) => slot.latent[d]!))}
              kind="slot"
              text={'ABCD'[index]!}
            />
          ) : null,
        )}
        {current && current.row !== undefined && (
          <Mark
            plot={plot.current}
            at={[places.points[2 * current.row]!, places.points[2 * current.row + 1]!]}
            kind="row"
          />
        )}
        {keptNow && <Mark plot={plot.current} at={places.place(keptNow)} kind="now" />}
      </svg>
      {over !== undefined && (
        <Tip
          store={store}
          row={over}
          at={plot.current?.toScreen(places.points[2 * over]!, places.points[2 * over + 1]!)}
        />
      )}
    </div>
  );
}

function Mark({
  plot,
  at: [x, y],
  kind,
  text,
}: {
  plot: Plot | undefined;
  at: readonly [number, number];
  kind: string;
  text?: string;
}) {
  if (plot === undefined || !Number.isFinite(x)) return null;
  const [left, top] = plot.toScreen(x, y);
  return (
    <g class={`mark ${kind}`} transform={`translate(${left.toFixed(1)} ${top.toFixed(1)})`}>
      {kind === 'file' ? <path d="M0 -9L9 0L0 9L-9 0Z" /> : <circle r={kind === 'now' ? 6 : 9} />}
      {kind === 'now' && <path d="M-12 0H-7M7 0H12M0 -12V-7M0 7V12" />}
      {text && <text dy={-12}>{text}</text>}
    </g>
  );
}

/** What is under the pointer. */
function Tip({ store, row, at }: { store: Store; row: number; at: [number, number] | undefined }) {
  const answer = useAsked(`row ${row}`, async () => ({
    row,
    values: (await store.backend.ask('rows', { rows: [row] })).arrays['rows'] as Float32Array,
  }));
  if (at === undefined) return null;
  const label = labelName(store, store.map?.labels?.[row]);
  const score = store.map?.kl && store.map.kl[row]! + store.map.reconstruction![row]!;
  return (
    <div class="tip" style={{ left: `${at[0]}px`, top: `${at[1]}px` }}>
      {answer && answer.row === row && (
        <RowView display={store.model.display} row={answer.values} label={rowTitle(store, row)} small encoded />
      )}
      <div>
        <strong>{rowTitle(store, row)}</strong>
        {label && <div>{label}</div>}
        {score !== undefined && <div class="muted">score {score.toFixed(1)}</div>}
      </div>
    </div>
  );
}

function onKey(event: KeyboardEvent, store: Store, plot: Plot): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
  const move = KEYS[event.key];
  const rows = store.map!.points.length / 2;
  const row = store.current?.row ?? -1;
  const tools = { d: 'decode', l: 'lasso', v: 'pan' } as const;
  const key = event.key.toLowerCase();
  if (move) plot.move(...(move as [number, number, number]));
  else if (key === 'n') void openRow(store, (row + 1) % rows);
  else if (key === 'p') void openRow(store, (row - 1 + rows) % rows);
  else if (key === '0') plot.reset();
  else if (key in tools) store.choose({ tool: tools[key as 'd'] });
  else if (event.key === 'Escape') store.choose({ selected: [] });
  else return;
  event.preventDefault();
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Not with every frame: a browser allows so many changes of its address only. */
function scheduleLink(store: Store): void {
  clearTimeout(timer);
  timer = setTimeout(() => store.changed(), 300);
}

function cameraText([scale, x, y]: Camera): string | undefined {
  const moved = Math.abs(scale - 1) > 1e-3 || Math.abs(x) > 1e-3 || Math.abs(y) > 1e-3;
  return moved ? [scale, x, y].map((value) => Number(value.toFixed(3))).join() : undefined;
}

function cameraOf(text: string | undefined): Camera | undefined {
  const [scale, x, y] = (text ?? '').split(',').map(Number);
  if (![scale, x, y].every(Number.isFinite)) return undefined;
  return [scale!, x!, y!];
}
