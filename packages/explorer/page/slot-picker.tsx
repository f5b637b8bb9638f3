/** A, B, C and D, by row number or by what is open. */
import { decode, rowTitle } from './actions.js';
import { RowView } from './row-view.js';
import type { Slot, Store } from './store.js';
import { useAsked } from './use-asked.js';

export function SlotPicker({ store }: { store: Store }) {
  const { slots } = store.chosen;
  const set = (index: number, slot: Slot | undefined): void => {
    const next = [...slots];
    next[index] = slot;
    store.choose({ slots: next });
  };
  return (
    <div class="slot-picker">
      {['A', 'B', 'C', 'D'].map((name, index) => (
        <fieldset key={name}>
          <legend>
            {name}
            {index > 1 && <span class="muted"> (optional)</span>}
          </legend>
          {slots[index] && <Face store={store} slot={slots[index]!} />}
          <div class="line">
            <input
              type="number"
              min={1}
              max={store.map!.points.length / 2}
              placeholder="Row"
              aria-label={`Row of ${name}`}
              value={slots[index]?.row === undefined ? '' : slots[index]!.row! + 1}
              onChange={async ({ currentTarget }) => {
                const row = Number(currentTarget.value) - 1;
                if (!Number.isInteger(row) || row < 0 || row >= store.map!.points.length / 2)
                  return set(index, undefined);
                set(index, await slotOf(store, row));
              }}
            />
            {store.current && (
              <button
                type="button"
                onClick={() =>
                  set(index, {
                    title: store.current!.title,
                    row: store.current!.row,
                    latent: store.current!.latent.slice(),
                    label: store.current!.label,
                  })
                }
              >
                Open item
              </button>
            )}
            {slots[index] && (
              <button type="button" class="icon" aria-label={`Empty ${name}`} onClick={() => set(index, undefined)}>
                ×
              </button>
            )}
          </div>
        </fieldset>
      ))}
    </div>
  );
}

export async function slotOf(store: Store, row: number): Promise<Slot> {
  const { header, arrays } = await store.backend.ask('item', { row });
  return {
    title: rowTitle(store, row),
    row,
    latent: arrays['mean'] as Float32Array,
    label: Math.max(0, Number(header['label'] ?? 0)),
  };
}

function Face({ store, slot }: { store: Store; slot: Slot }) {
  const row = useAsked(`${slot.title} ${slot.label} ${slot.latent.slice(0, 8).join()}`, () =>
    decode(store, slot.latent, slot.label),
  );
  return (
    <figure class="face">
      {row && <RowView display={store.model.display} row={row} label={slot.title} small />}
      <figcaption>{slot.title}</figcaption>
    </figure>
  );
}
