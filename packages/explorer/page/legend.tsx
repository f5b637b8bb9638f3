import { CLASSES, SCALE_CSS } from './colours.js';
import { COLOURS, colourOf, paintingOf } from './map-colours.js';
import type { Store } from './store.js';

const MOST = 20;

export function Legend({ store }: { store: Store }) {
  const name = colourOf(store);
  if (name === 'none') return <div class="legend" />;
  if (name === 'label') {
    const classes = store.model.data.classes ?? [];
    return (
      <div class="legend">
        {classes.slice(0, MOST).map((one, index) => (
          <button
            type="button"
            key={one}
            class="key"
            title={`Select ${one}`}
            onClick={() => {
              const rows: number[] = [];
              for (const [row, label] of store.map!.labels!.entries()) if (label === index) rows.push(row);
              store.choose({ selected: rows });
            }}
          >
            <i style={{ background: CLASSES[index % CLASSES.length] }} />
            {one}
          </button>
        ))}
        {classes.length > MOST && <span class="muted">and {classes.length - MOST} more</span>}
      </div>
    );
  }
  const { range } = paintingOf(store);
  return (
    <div class="legend scale">
      <span class="muted">{COLOURS[name]}</span>
      <span>{range?.[0].toFixed(1)}</span>
      <i style={{ background: SCALE_CSS }} />
      <span>{range?.[1].toFixed(1)} nats</span>
    </div>
  );
}
