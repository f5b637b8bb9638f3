/** The frame of the page: its head, its views, and what can be dropped on it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { readFile } from './actions.js';
import { ArchiveView } from './archive-view.js';
import { BetweenView } from './between-view.js';
import { HealthView } from './health-view.js';
import { MapView } from './map-view.js';
import { RunView } from './run-view.js';
import { saveView } from './save.js';
import { type Store, useStore } from './store.js';

const VIEWS = {
  run: { title: 'Run', View: RunView },
  map: { title: 'Map', View: MapView },
  between: { title: 'Between', View: BetweenView },
  health: { title: 'Health', View: HealthView },
  archive: { title: 'Archive', View: ArchiveView },
} as const;

type ViewName = keyof typeof VIEWS;

function viewsOf({ backend: { state } }: Store): ViewName[] {
  if (state.mode === 'archive') return ['archive'];
  return state.run ? ['run', 'map', 'health'] : ['map', 'between', 'health'];
}

export function App({ store }: { store: Store }) {
  useStore(store);
  const views = viewsOf(store);
  const view = views.includes(store.chosen.view as ViewName) ? (store.chosen.view as ViewName) : views[0]!;
  const { View } = VIEWS[view];
  const main = useRef<HTMLElement>(null);
  const over = useDrop(store);
  const { state, lost } = store.backend;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the view
      </button>
      <header class="top">
        <span class="brand">
          <img src="./icon.svg" alt="" width={22} height={22} />
          {state.name}
        </span>
        <nav aria-label="Views">
          {views.map((name) => (
            <a
              key={name}
              href={`#${name}`}
              aria-current={name === view ? 'page' : undefined}
              onClick={(event) => {
                event.preventDefault();
                store.choose({ view: name });
              }}
            >
              {VIEWS[name].title}
            </a>
          ))}
        </nav>
        <Status store={store} />
        <Menu store={store} main={main} view={view} />
      </header>
      {lost && (
        <p class="lost" role="alert">
          The server does not answer. Start the command again; the page goes on by itself.
        </p>
      )}
      <main ref={main} tabIndex={-1} id="main">
        <View store={store} />
      </main>
      {over && (
        <div class="drop" aria-hidden="true">
          Drop the file: the model reads it
        </div>
      )}
      <div class="toast" role="status" aria-live="polite">
        {store.message && <p>{store.message}</p>}
      </div>
    </>
  );
}

function Status({ store }: { store: Store }) {
  const { state } = store.backend;
  if (state.mode !== 'model') return null;
  const { stage, done, total, message } = state.progress;
  if (stage === 'failed')
    return (
      <span class="status" role="alert">
        {message}
      </span>
    );
  const text = { encoding: 'encoding', scoring: 'scoring', measuring: 'measuring', ready: '' }[stage];
  return (
    <span class="status muted">
      {text
        ? `${text} ${Math.floor((100 * done) / Math.max(1, total))} %`
        : `${total.toLocaleString('en-US')} ${state.data.source === 'prior' ? 'draws' : 'rows'}`}
    </span>
  );
}

const THEMES = ['', 'light', 'dark'] as const;

function Menu({ store, main, view }: { store: Store; main: { current: HTMLElement | null }; view: string }) {
  const [theme, setTheme] = useState<string>(() => localStorage.getItem('theme') ?? '');
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    localStorage.setItem('theme', theme);
  }, [theme]);
  const save = (type: 'svg' | 'png') => {
    void saveView(main.current!.firstElementChild as HTMLElement, `${store.backend.state.name}-${view}`, type).catch(
      (error: Error) => store.tell(error.message),
    );
  };
  return (
    <div class="menu">
      <button type="button" onClick={() => save('png')} title="Save this view as PNG">
        PNG
      </button>
      <button type="button" onClick={() => save('svg')} title="Save this view as SVG">
        SVG
      </button>
      <button
        type="button"
        title="Copy the link that brings this view back"
        onClick={() =>
          void navigator.clipboard.writeText(location.href).then(
            () => store.tell('The link was copied.'),
            () => store.tell(location.href),
          )
        }
      >
        Link
      </button>
      <button
        type="button"
        onClick={() => setTheme(THEMES[(THEMES.indexOf(theme as '') + 1) % 3]!)}
        title="Light, dark, or as the system"
        aria-label={`Theme: ${theme || 'as the system'}`}
      >
        {{ '': '◐', light: '☀', dark: '☾' }[theme] ?? '◐'}
      </button>
    </div>
  );
}

/** Files may be dropped anywhere. */
function useDrop(store: Store): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!store.backend.reads) return;
    const drag = (event: DragEvent): void => {
      event.preventDefault();
      setOver(event.type === 'dragover');
    };
    const drop = async (event: DragEvent): Promise<void> => {
      event.preventDefault();
      setOver(false);
      if (!store.map) return store.tell('The rows are still being encoded; drop the file again in a moment.');
      store.chosen.view = 'map';
      for (const file of [...(event.dataTransfer?.files ?? [])]) await readFile(store, file);
    };
    addEventListener('dragover', drag);
    addEventListener('dragleave', drag);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', drag);
      removeEventListener('dragleave', drag);
      removeEventListener('drop', drop);
    };
  }, [store]);
  return over;
}
