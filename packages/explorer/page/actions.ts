/** What a person can do: each asks the backend and puts the answer into the store. */
import { asWav } from './convert-sound.js';
import { asY4m } from './convert-video.js';
import type { Current, Store } from './store.js';

const f32 = (value: unknown): Float32Array | undefined => (value instanceof Float32Array ? value : undefined);

export function rowTitle(store: Store, row: number): string {
  const name = store.map?.names?.[row];
  return name ? shortName(name) : store.model.data.source === 'prior' ? `Draw ${row + 1}` : `Row ${row + 1}`;
}

function shortName(name: string): string {
  return name.split('/').slice(-2).join('/');
}

export function labelName(store: Store, label: number | undefined): string | undefined {
  if (label === undefined || label < 0) return undefined;
  return store.model.data.classes?.[label] ?? store.model.model.classes?.[label] ?? String(label);
}

let opening: AbortController | undefined;

export async function openRow(store: Store, row: number): Promise<void> {
  opening?.abort(new Error('Another row was opened.'));
  opening = new AbortController();
  const { signal } = opening;
  try {
    const { header, arrays } = await store.backend.ask('item', { row }, {}, signal);
    const mean = f32(arrays['mean'])!;
    store.current = {
      from: 'row',
      row,
      title: rowTitle(store, row),
      origin: mean,
      latent: mean.slice(),
      original: f32(arrays['original']),
      rebuilt: f32(arrays['rebuilt']),
      logVariance: f32(arrays['logVariance']),
      kl: store.map?.kl?.[row],
      reconstruction: store.map?.reconstruction?.[row],
      label: Math.max(0, Number(header['label'] ?? 0)),
    };
    store.changed();
  } catch (error) {
    if (!signal.aborted) store.tell((error as Error).message);
  }
}

/** The open item with another latent. */
export function moveTo(store: Store, latent: Float32Array, from?: Current['from']): void {
  const { current } = store;
  if (current && from === undefined) store.current = { ...current, latent };
  else
    store.current = {
      from: from ?? 'map',
      title: from === 'draw' ? 'A draw from the prior' : from === 'between' ? 'Between' : 'A place on the map',
      origin: latent,
      latent: latent.slice(),
      label: current?.label ?? 0,
    };
  store.changed();
}

export function resetCurrent(store: Store): void {
  if (store.current) store.current = { ...store.current, latent: store.current.origin.slice() };
  store.changed();
}

export async function drawOne(store: Store, temperature: number): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 30);
  const label = store.current?.label ?? 0;
  const { arrays } = await store.backend.ask('draw', {
    count: 1,
    seed,
    temperature,
    ...(store.model.model.classes && { label }),
  });
  moveTo(store, f32(arrays['latents'])!, 'draw');
}

/** Decodes latents [n, dimensions]. */
export async function decode(
  store: Store,
  latents: Float32Array,
  label: number,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const count = latents.length / store.map!.base.length;
  const labels = store.model.model.classes && Array.from({ length: count }, () => label);
  const { arrays } = await store.backend.ask('decode', labels ? { labels } : {}, { latents }, signal);
  return f32(arrays['rows'])!;
}

export async function readFile(store: Store, file: File): Promise<void> {
  try {
    const { display } = store.model;
    const sound = display.kind === 'sound' ? await asWav(file, display.sampleRate) : undefined;
    const bytes = display.kind === 'video' ? await asY4m(file, display.fps) : sound;
    const { header, arrays } = await store.backend.upload(file.name, bytes ?? (await file.arrayBuffer()));
    const count = Number(header['count']);
    const size = store.map!.base.length;
    const part = (name: string, index: number): Float32Array => {
      const all = f32(arrays[name])!;
      const width = all.length / count;
      return all.slice(index * width, (index + 1) * width);
    };
    const added = Array.from({ length: count }, (_, index) => {
      const latent = part('mean', index);
      const title = count > 1 ? `${file.name} · ${index + 1}` : file.name;
      const current: Current = {
        ...{ from: 'file', title, origin: latent, latent: latent.slice(), label: 0 },
        original: part('original', index),
        rebuilt: part('rebuilt', index),
        logVariance: part('logVariance', index),
        kl: f32(arrays['kl'])?.[index],
        reconstruction: f32(arrays['reconstruction'])?.[index],
      };
      return { name: title, kept: keptOf(store, latent), current };
    });
    if (size > 0 && added[0]) {
      store.dropped = [...store.dropped, ...added].slice(-64);
      store.current = added[0].current;
    }
    const more = Number(header['leftOut']);
    if (more > 0) store.tell(`${file.name}: the first ${count} rows are shown, ${more} are left out.`);
    else store.changed();
  } catch (error) {
    store.tell((error as Error).message);
  }
}

/** The kept dimensions of a whole latent. */
export function keptOf({ model }: Store, latent: Float32Array): Float32Array {
  return Float32Array.from(model.kept, (dimension) => latent[dimension]!);
}
