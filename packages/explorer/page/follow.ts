/** Keeps the arrays of all rows as the backend has them, and brings back what the link asked for. */
import { openRow } from './actions.js';
import { slotOf } from './slot-picker.js';
import type { MapData, Store } from './store.js';

export function follow(store: Store): void {
  let version = -1;
  let busy = false;
  const look = async (): Promise<void> => {
    const { state } = store.backend;
    if (state.mode !== 'model' || busy || state.progress.version === version) return;
    busy = true;
    version = state.progress.version;
    try {
      const moves = state.run !== undefined;
      if (state.kept.length > 0 && (store.map === undefined || moves)) {
        const frame = await store.backend.part('map');
        if (frame) {
          const first = store.map === undefined;
          store.map = { ...frame.arrays, ...frame.header } as unknown as MapData;
          const { current } = store;
          if (first) await bringBack(store);
          // The row of this moment, unless it was moved.
          else if (current?.from === 'row' && !current.latent.some((value, at) => value !== current.origin[at]))
            void openRow(store, current.row!);
        }
      }
      if (store.map && !store.map.kl) {
        const { kl, reconstruction } = ((await store.backend.part('scores'))?.arrays ?? {}) as {
          kl?: Float32Array;
          reconstruction?: Float32Array;
        };
        if (kl && reconstruction) {
          store.map = { ...store.map, kl, reconstruction };
          const { current } = store;
          if (current?.row !== undefined)
            store.current = { ...current, kl: kl[current.row], reconstruction: reconstruction[current.row] };
        }
      }
      store.changed();
    } catch (error) {
      store.tell((error as Error).message);
    }
    busy = false;
    void look();
  };
  store.backend.subscribe(() => void look());
  void look();
}

/** The row, the moved dimensions and the kept items of a link. */
async function bringBack(store: Store): Promise<void> {
  const { row, z, s, l } = store.wanted;
  const rows = store.map!.points.length / 2;
  const moved = (z ?? '').split(',').flatMap((part) => {
    const [at, value] = part.split(':').map(Number);
    return Number.isInteger(at) && Number.isFinite(value) && part.includes(':') ? [[at!, value!] as const] : [];
  });
  const number = Number(row);
  if (row !== undefined && Number.isInteger(number) && number >= 0 && number < rows) await openRow(store, number);
  else if (moved.length > 0) {
    const origin = store.map!.base.slice();
    store.current = { from: 'map', title: 'A place on the map', origin, latent: origin.slice(), label: Number(l ?? 0) };
  }
  if (store.current && moved.length > 0) {
    const latent = store.current.latent.slice();
    for (const [at, value] of moved) if (at < latent.length) latent[at] = value;
    store.current = { ...store.current, latent };
  }
  if (store.current && l !== undefined && Number(l) !== store.current.label) {
    store.current = { ...store.current, label: Number(l), rebuilt: undefined };
  }
  const slots = [...store.chosen.slots];
  for (const [index, text] of (s ?? '').split(',').entries()) {
    const at = Number(text);
    if (text !== '' && Number.isInteger(at) && at >= 0 && at < rows && index < 4)
      slots[index] = await slotOf(store, at);
  }
  store.chosen.slots = slots;
}
