/** What is selected by lasso or search: its rows as thumbs. */
import { openRow, rowTitle } from './actions.js';
import type { Store } from './store.js';
import { Thumbs } from './thumbs.js';

const SHOWN = 24;

export function SelectionBar({ store }: { store: Store }) {
  const { selected } = store.chosen;
  if (selected.length === 0) return null;
  const shown = selected.slice(0, SHOWN);
  return (
    <section class="selection" aria-label="Selected rows">
      <div class="line">
        <strong>{selected.length.toLocaleString('en-US')} selected</strong>
        <span class="muted">{summary(store)}</span>
        <button type="button" onClick={() => store.choose({ selected: [] })}>
          Clear
        </button>
      </div>
      <Thumbs
        store={store}
        rows={shown}
        title={(row) => rowTitle(store, row)}
        onPick={(row) => void openRow(store, row)}
      />
    </section>
  );
}

/** Mean score, and the commonest label. */
function summary({ map, model, chosen: { selected } }: Store): string {
  const parts: string[] = [];
  if (map?.kl) {
    const sum = selected.reduce((total, row) => total + map.kl![row]! + map.reconstruction![row]!, 0);
    parts.push(`mean score ${(sum / selected.length).toFixed(1)} nats`);
  }
  if (map?.labels) {
    const counts = new Map<number, number>();
    for (const row of selected) counts.set(map.labels[row]!, (counts.get(map.labels[row]!) ?? 0) + 1);
    const [most] = [...counts].sort((a, b) => b[1] - a[1]);
    if (most && most[0] >= 0)
      parts.push(`${Math.round((100 * most[1]) / selected.length)} % ${model.data.classes?.[most[0]] ?? most[0]}`);
  }
  return parts.join(' · ');
}
