/** What the page knows and what is chosen in it; views draw themselves anew when it changes. */
import { useEffect, useReducer } from 'preact/hooks';
import type { Backend, ModelState } from './backend.js';
import { readLink, writeLink } from './link.js';

/** A latent that is looked at: of a row, of a dropped file, of a draw, of a place on the map. */
export interface Current {
  /** What it began as. */
  readonly from: 'row' | 'file' | 'draw' | 'map' | 'between';
  readonly row?: number | undefined;
  readonly title: string;
  /** As it began. */
  readonly origin: Float32Array;
  /** As it is now. */
  readonly latent: Float32Array;
  readonly original?: Float32Array | undefined;
  readonly rebuilt?: Float32Array | undefined;
  readonly logVariance?: Float32Array | undefined;
  readonly kl?: number | undefined;
  readonly reconstruction?: number | undefined;
  readonly label: number;
}

/** A file that was dropped, with its place. */
export interface Dropped {
  readonly name: string;
  /** Of the kept dimensions. */
  readonly kept: Float32Array;
  readonly current: Current;
}

export interface MapData {
  readonly points: Float32Array;
  readonly mean: Float32Array;
  readonly axes: Float32Array;
  readonly latents: Float32Array;
  readonly base: Float32Array;
  readonly labels?: Int32Array | undefined;
  readonly names?: readonly string[] | undefined;
  readonly explained: readonly number[];
  kl?: Float32Array | undefined;
  reconstruction?: Float32Array | undefined;
}

export interface Chosen {
  view: string;
  /** `pca`, `umap`, or `dims`. */
  projection: string;
  /** Of `dims`: places among the kept dimensions. */
  dims: readonly [number, number];
  /** `label`, `error`, `kl`, `score`, or `none`. */
  colour: string;
  tool: 'pan' | 'decode' | 'lasso';
  selected: readonly number[];
  /** Rows (or undefined) of A, B, C and D. */
  slots: readonly (Slot | undefined)[];
  camera: string | undefined;
}

export interface Slot {
  readonly title: string;
  readonly row?: number | undefined;
  readonly latent: Float32Array;
  readonly label: number;
}

export class Store {
  readonly backend: Backend;
  readonly chosen: Chosen;
  map: MapData | undefined;
  current: Current | undefined;
  dropped: readonly Dropped[] = [];
  /** Told to the person, for a while. */
  message = '';
  readonly #listeners = new Set<() => void>();
  /** What the link asked for, until it can be had. */
  readonly wanted = readLink().values;

  constructor(backend: Backend) {
    this.backend = backend;
    const { view, values } = readLink();
    const [x, y] = (values['d'] ?? '0,1').split(',').map(Number);
    const start = backend.state.mode === 'archive' ? 'archive' : backend.state.run ? 'run' : 'map';
    this.chosen = {
      view: view || start,
      projection: values['p'] ?? 'pca',
      dims: [Number.isInteger(x) ? x! : 0, Number.isInteger(y) ? y! : 1],
      colour: values['c'] ?? '',
      tool: (['decode', 'lasso'].includes(values['t'] ?? '') ? values['t'] : 'pan') as Chosen['tool'],
      selected: [],
      slots: [undefined, undefined, undefined, undefined],
      camera: values['v'],
    };
  }

  get model(): ModelState {
    return this.backend.state as ModelState;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Draws what depends on it anew, and keeps the link. */
  changed(): void {
    this.#link();
    for (const listener of this.#listeners) listener();
  }

  choose(change: Partial<Chosen>): void {
    Object.assign(this.chosen, change);
    this.changed();
  }

  tell(message: string): void {
    this.message = message;
    this.changed();
    setTimeout(() => {
      if (this.message !== message) return;
      this.message = '';
      this.changed();
    }, 8000);
  }

  #link(): void {
    const { view, projection, dims, colour, tool, slots, camera } = this.chosen;
    const { current } = this;
    writeLink(view, {
      p: projection === 'pca' ? undefined : projection,
      d: projection === 'dims' ? dims.join() : undefined,
      c: colour,
      t: tool === 'pan' ? undefined : tool,
      row: current?.row === undefined ? this.wanted['row'] : String(current.row),
      z: current ? movedText(current) : this.wanted['z'],
      l: current && this.model.model?.classes ? String(current.label) : undefined,
      s: slots.some(Boolean) ? slots.map((slot) => slot?.row ?? '').join() : this.wanted['s'],
      w: this.wanted['w'],
      v: camera,
    });
  }
}

/** The dimensions that were moved, as `3:1.25,7:-0.5`; all of them where there is no row to begin from. */
function movedText({ origin, latent, from }: Current): string | undefined {
  const parts: string[] = [];
  for (let at = 0; at < latent.length && parts.length <= 64; at += 1) {
    if (from !== 'row' || Math.abs(latent[at]! - origin[at]!) > 1e-6)
      parts.push(`${at}:${Number(latent[at]!.toFixed(4))}`);
  }
  return parts.length === 0 || parts.length > 64 ? undefined : parts.join();
}

/** Draws a component anew with every change of the store. */
export function useStore(store: Store): void {
  const [, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const leave = [store.subscribe(() => again(0)), store.backend.subscribe(() => again(0))];
    return () => {
      for (const one of leave) one();
    };
  }, [store]);
}
