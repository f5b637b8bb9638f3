/** An archive: its files by random access, with sizes and what each chunk was coded by. */
import { useEffect, useState } from 'preact/hooks';
import type { ArchiveState, Display } from './backend.js';
import { RowView } from './row-view.js';
import { type Store, useStore } from './store.js';
import { useAsked } from './use-asked.js';

const PAGE = 100;

export function ArchiveView({ store }: { store: Store }) {
  useStore(store);
  const state = store.backend.state as ArchiveState;
  const [text, setText] = useState('');
  const [first, setFirst] = useState(0);
  const [open, setOpen] = useState<number | undefined>(
    Number.isInteger(Number(store.wanted['file'])) && store.wanted['file'] ? Number(store.wanted['file']) : undefined,
  );
  const found = state.files.flatMap((file, index) =>
    file.name.toLowerCase().includes(text.toLowerCase()) ? [index] : [],
  );
  useEffect(
    () => history.replaceState(undefined, '', open === undefined ? '#archive' : `#archive?file=${open}`),
    [open],
  );
  const bytes = state.files.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
  return (
    <div class="page archive">
      <h1>{state.name}</h1>
      <dl class="facts">
        <div>
          <dt>Holds</dt>
          <dd>{state.kind}</dd>
        </div>
        <div>
          <dt>Items</dt>
          <dd>{state.items.toLocaleString('en-US')}</dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>{size(state.bytes)}</dd>
        </div>
        <div>
          <dt>Chunks</dt>
          <dd>{state.chunks.length.toLocaleString('en-US')}</dd>
        </div>
        {bytes > 0 && (
          <div>
            <dt>Unpacked</dt>
            <dd>
              {size(bytes)} <small>{(bytes / state.bytes).toFixed(2)} times as large</small>
            </dd>
          </div>
        )}
        <div>
          <dt>Model</dt>
          <dd title={state.model}>
            {state.model ? `${state.model.slice(0, 12)}…` : 'none'}
            {state.embedsModel && <small> within</small>}
          </dd>
        </div>
      </dl>
      {!state.complete && (
        <p class="advice" role="note">
          The archive has no end: it was cut off or never finished. What is whole is shown.
        </p>
      )}
      <div class="archive-columns">
        <section aria-label="Files">
          <div class="line">
            <h2>Files</h2>
            <input
              type="search"
              placeholder="Name"
              aria-label="Search files"
              value={text}
              onInput={({ currentTarget }) => {
                setText(currentTarget.value);
                setFirst(0);
              }}
            />
          </div>
          <div class="scroll">
            <table class="list">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Size</th>
                  <th scope="col">Chunk</th>
                  <th scope="col">Coded by</th>
                </tr>
              </thead>
              <tbody>
                {found.slice(first, first + PAGE).map((index) => {
                  const file = state.files[index]!;
                  return (
                    <tr key={index} aria-selected={open === index}>
                      <td>
                        <button type="button" class="link" onClick={() => setOpen(index)}>
                          {file.name}
                        </button>
                      </td>
                      <td class="number">{file.bytes === undefined ? '' : size(file.bytes)}</td>
                      <td class="number">{file.chunk}</td>
                      <td>{state.chunks[file.chunk]?.codedBy}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
          <div class="line">
            <button type="button" disabled={first === 0} onClick={() => setFirst(Math.max(0, first - PAGE))}>
              Before
            </button>
            <span class="muted">
              {found.length === 0
                ? 'None'
                : `${first + 1} to ${Math.min(found.length, first + PAGE)} of ${found.length.toLocaleString('en-US')}`}
              {state.filesLeftOut > 0 && `; ${state.filesLeftOut.toLocaleString('en-US')} more are not listed`}
            </span>
            <button type="button" disabled={first + PAGE >= found.length} onClick={() => setFirst(first + PAGE)}>
              After
            </button>
          </div>
        </section>
        <aside class="item" aria-label="File" aria-live="polite">
          {open === undefined || !state.files[open] ? (
            <p class="muted">Press a name to see the file.</p>
          ) : (
            <File store={store} index={open} />
          )}
          <Chunks state={state} />
        </aside>
      </div>
    </div>
  );
}

function File({ store, index }: { store: Store; index: number }) {
  const state = store.backend.state as ArchiveState;
  const file = state.files[index]!;
  const answer = useAsked(`file ${index}`, async () => {
    try {
      return { index, ...(await store.backend.ask('picture', { item: index })) };
    } catch (error) {
      return { index, header: { error: (error as Error).message }, arrays: {} };
    }
  });
  const chunk = state.chunks[file.chunk];
  const { display, error, text } = (answer?.index === index ? answer.header : {}) as {
    display?: Display;
    error?: string;
    text?: string;
  };
  const rows = answer?.arrays['rows'];
  return (
    <>
      <h2>{file.name}</h2>
      {error && (
        <p class="advice" role="alert">
          {error}
        </p>
      )}
      {display && rows instanceof Float32Array && (
        <div class={`faces of-${display.kind}`}>
          <figure class="face now">
            <RowView display={display} row={rows} label={file.name} encoded />
          </figure>
        </div>
      )}
      {text !== undefined && <pre class="text">{text}</pre>}
      {chunk && (
        <dl class="scores">
          <div>
            <dt>Chunk {file.chunk}</dt>
            <dd>{size(chunk.bytes)}</dd>
          </div>
          <div>
            <dt>Items in it</dt>
            <dd>{chunk.items}</dd>
          </div>
          <div>
            <dt>Coded by</dt>
            <dd>{chunk.codedBy}</dd>
          </div>
        </dl>
      )}
    </>
  );
}

function Chunks({ state }: { state: ArchiveState }) {
  const most = Math.max(1, ...state.chunks.map(({ bytes }) => bytes));
  return (
    <section aria-label="Chunks">
      <h3>Chunks</h3>
      <ol class="chunks" start={0}>
        {state.chunks.slice(0, 200).map((chunk, index) => (
          <li
            key={index}
            title={`Chunk ${index}: ${chunk.items} items, ${chunk.bytes.toLocaleString('en-US')} bytes, ${chunk.codedBy}`}
          >
            <span>{index}</span>
            <i style={{ width: `${Math.max(1, (100 * chunk.bytes) / most)}%` }} />
            <span class="muted">
              {size(chunk.bytes)}
              {chunk.dataBytes ? ` · ${((8 * chunk.bytes) / chunk.dataBytes).toFixed(2)} bits a byte` : ''} ·{' '}
              {chunk.codedBy}
            </span>
          </li>
        ))}
      </ol>
      {state.chunks.length > 200 && <p class="muted">and {state.chunks.length - 200} more</p>}
    </section>
  );
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
