/** What the map shows, and what a drag in it does. */
import { useState } from 'preact/hooks';
import { COLOURS, colourOf, coloursOf } from './map-colours.js';
import type { Chosen, Store } from './store.js';

const TOOLS: readonly (readonly [Chosen['tool'], string, string, string])[] = [
  ['pan', 'Move', 'V', 'Drag moves the map, the wheel magnifies'],
  ['decode', 'Decode', 'D', 'Drag decodes under the pointer'],
  ['lasso', 'Lasso', 'L', 'Drag around rows selects them'],
];

export function MapBar({ store }: { store: Store }) {
  const { chosen, model } = store;
  const dims = model.kept.slice(0, 64);
  return (
    <div class="bar" role="toolbar" aria-label="Map">
      <label>
        Map
        <select
          value={chosen.projection}
          onChange={({ currentTarget }) => store.choose({ projection: currentTarget.value, camera: undefined })}
        >
          <option value="pca">PCA</option>
          {dims.length > 1 && <option value="umap">UMAP</option>}
          {dims.length > 1 && <option value="dims">Two dimensions</option>}
        </select>
      </label>
      {chosen.projection === 'dims' &&
        [0, 1].map((axis) => (
          <label key={axis}>
            {'xy'[axis]}
            <select
              value={chosen.dims[axis]}
              onChange={({ currentTarget }) => {
                const next: [number, number] = [...chosen.dims];
                next[axis] = Number(currentTarget.value);
                store.choose({ dims: next });
              }}
            >
              {dims.map((dimension, index) => (
                <option key={dimension} value={index}>
                  z {dimension}
                </option>
              ))}
            </select>
          </label>
        ))}
      <label>
        Colour
        <select value={colourOf(store)} onChange={({ currentTarget }) => store.choose({ colour: currentTarget.value })}>
          {coloursOf(store).map((name) => (
            <option key={name} value={name}>
              {COLOURS[name]}
            </option>
          ))}
        </select>
      </label>
      <fieldset class="group" aria-label="What a drag does">
        {TOOLS.map(([tool, text, key, title]) => (
          <button
            key={tool}
            type="button"
            aria-pressed={chosen.tool === tool}
            title={`${title} (${key})`}
            onClick={() => store.choose({ tool })}
          >
            {text}
          </button>
        ))}
      </fieldset>
      <Search store={store} />
    </div>
  );
}

/** By name, label or number. */
function Search({ store }: { store: Store }) {
  const [text, setText] = useState('');
  const search = (): void => {
    const rows = text.trim() === '' ? [] : find(store, text.trim().toLowerCase());
    store.choose({ selected: rows });
    if (text.trim() !== '' && rows.length === 0) store.tell(`No row is called "${text}".`);
  };
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        search();
      }}
    >
      <input
        type="search"
        placeholder={store.map?.names ? 'Name, label or number' : 'Label or row number'}
        aria-label="Search rows"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
      />
      <button type="submit">Search</button>
    </form>
  );
}

function find({ map, model }: Store, text: string): number[] {
  const rows = map!.points.length / 2;
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= rows && !map!.names) return [number - 1];
  const labels = new Set(
    (model.data.classes ?? []).flatMap((name, index) => (name.toLowerCase() === text ? [index] : [])),
  );
  const found: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    if (map!.names?.[row]?.toLowerCase().includes(text) || labels.has(map!.labels?.[row] ?? -1)) found.push(row);
  }
  if (found.length === 0 && Number.isInteger(number) && number >= 1 && number <= rows) return [number - 1];
  return found;
}
