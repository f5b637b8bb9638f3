/** An exported page: its answers are files, and the decoder runs in this browser. */
import { decodeFrame } from '../../../src/entries/explorer/frames.js';
import type { Arrays, Backend, Frame, State } from './backend.js';

interface Manifest {
  readonly state: State;
  /** Parts that are files. */
  readonly parts: readonly string[];
  /** Whether the rows themselves are there. */
  readonly rows: boolean;
  readonly latentShape: readonly number[];
  readonly rowSize: number;
  readonly decoder: { readonly file: string; readonly input: string; readonly output: string; readonly label?: string };
  /** Mean and deviation by value or channel, of arrays that the decoder gives standardised. */
  readonly scaling?: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
}

type Ort = typeof import('onnxruntime-web/wasm');
type Session = Awaited<ReturnType<Ort['InferenceSession']['create']>>;
type Latents = { mean: Float32Array; logVariance?: Float32Array };

export class StillBackend implements Backend {
  readonly reads = false;
  readonly lost = false;
  readonly state: State;
  readonly #manifest: Manifest;
  readonly #parts = new Map<string, Promise<Frame | undefined>>();
  #ort: Promise<{ ort: Ort; session: Session }> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(manifest: Manifest) {
    this.#manifest = manifest;
    this.state = manifest.state;
  }

  /** Undefined where the page is served by node-vae. */
  static async open(): Promise<StillBackend | undefined> {
    if (document.querySelector('meta[name="exported"]') === null) return undefined;
    const response = await fetch('./data/manifest.json');
    if (!response.ok) throw new Error('data/manifest.json is missing: copy the whole folder that was exported.');
    return new StillBackend((await response.json()) as Manifest);
  }

  subscribe(): () => void {
    return () => {};
  }

  part(name: string): Promise<Frame | undefined> {
    if (!this.#manifest.parts.includes(name)) return Promise.resolve(undefined);
    const known = this.#parts.get(name);
    if (known) return known;
    const loading = fetch(`./data/${name}.bin`).then(async (response) => {
      if (!response.ok) throw new Error(`data/${name}.bin is missing: copy the whole folder that was exported.`);
      return decodeFrame(new Uint8Array(await response.arrayBuffer()));
    });
    this.#parts.set(name, loading);
    return loading;
  }

  async ask(op: string, header: object = {}, arrays: Arrays = {}): Promise<Frame> {
    const question = header as {
      row?: number;
      rows?: number[];
      count?: number;
      seed?: number;
      temperature?: number;
      labels?: number[];
      label?: number;
    };
    switch (op) {
      case 'decode':
        return this.#rowsFrame(arrays['latents'] as Float32Array, question.labels);
      case 'item':
        return this.#item(question.row!);
      case 'rows':
        return { header: {}, arrays: { rows: await this.#originals(question.rows!) } };
      case 'nearest':
        return this.#nearest(arrays['latent'] as Float32Array, question.count!);
      case 'draw': {
        const latents = await this.#draws(question.count!, question.seed!, question.temperature!);
        const labels = Array.from({ length: question.count! }, () => question.label ?? 0);
        return { header: {}, arrays: { latents, ...(await this.#rowsFrame(latents, labels)).arrays } };
      }
      case 'holes': {
        const latents = ((await this.part('holes'))?.arrays['latents'] as Float32Array) ?? new Float32Array(0);
        return {
          header: {},
          arrays: {
            latents,
            ...(latents.length > 0 ? (await this.#rowsFrame(latents, undefined)).arrays : { rows: latents }),
          },
        };
      }
    }
    throw new Error(`An exported page does not know "${op}".`);
  }

  upload(): Promise<Frame> {
    return Promise.reject(new Error('An exported page reads no files; open the model with node-vae explore.'));
  }

  /** From the standard normal prior; of another, some of the draws that were exported. */
  async #draws(count: number, seed: number, temperature: number): Promise<Float32Array> {
    const size = (await this.#base()).mean.length;
    const drawn = (await this.part('draws'))?.arrays['latents'] as Float32Array | undefined;
    if (!drawn) return normal(count * size, seed).map((value) => value * temperature);
    const first = seed % Math.max(1, drawn.length / size - count);
    return drawn.slice(first * size, (first + count) * size);
  }

  async #base(): Promise<Latents> {
    return { mean: (await this.part('map'))!.arrays['base'] as Float32Array };
  }

  async #item(row: number): Promise<Frame> {
    const size = (await this.#base()).mean.length;
    const whole = (await this.part('latents'))!.arrays;
    const slice = (name: string): Float32Array | undefined =>
      (whole[name] as Float32Array | undefined)?.slice(row * size, (row + 1) * size);
    const mean = slice('mean')!;
    const logVariance = slice('logVariance');
    const label = (await this.part('map'))!.arrays['labels']?.[row];
    const { arrays } = await this.#rowsFrame(mean, [Math.max(0, label ?? 0)]);
    return {
      header: { row, ...(label !== undefined && { label }) },
      arrays: {
        ...(this.#manifest.rows && { original: await this.#originals([row]) }),
        rebuilt: arrays['rows']!,
        mean,
        ...(logVariance && { logVariance }),
      },
    };
  }

  /** Rows as they are; where they were left out, as the decoder makes them. */
  async #originals(rows: readonly number[]): Promise<Float32Array> {
    const { rowSize } = this.#manifest;
    if (!this.#manifest.rows) {
      const size = (await this.#base()).mean.length;
      const mean = (await this.part('latents'))!.arrays['mean'] as Float32Array;
      const latents = new Float32Array(rows.length * size);
      for (const [index, row] of rows.entries()) latents.set(mean.subarray(row * size, (row + 1) * size), index * size);
      return (
        await this.#rowsFrame(
          latents,
          rows.map(() => 0),
        )
      ).arrays['rows'] as Float32Array;
    }
    const { header, arrays } = (await this.part('rows'))!;
    const all = arrays['rows']!;
    const { scale = 1, offset = 0, scaled = false } = header as { scale?: number; offset?: number; scaled?: boolean };
    const out = new Float32Array(rows.length * rowSize);
    for (const [index, row] of rows.entries()) {
      for (let at = 0; at < rowSize; at += 1) out[index * rowSize + at] = all[row * rowSize + at]! * scale + offset;
    }
    if (scaled) this.#natural(out);
    return out;
  }

  async #nearest(latent: Float32Array, count: number): Promise<Frame> {
    const latents = (await this.part('map'))!.arrays['latents'] as Float32Array;
    const width = latent.length;
    const found = Array.from({ length: latents.length / width }, (_, row) => {
      let sum = 0;
      for (let at = 0; at < width; at += 1) sum += (latents[row * width + at]! - latent[at]!) ** 2;
      return { row, far: Math.sqrt(sum) };
    })
      .sort((a, b) => a.far - b.far)
      .slice(0, count);
    return {
      header: {},
      arrays: { rows: Int32Array.from(found, ({ row }) => row), distances: Float32Array.from(found, ({ far }) => far) },
    };
  }

  /** Decodes; one run at a time, as the runtime wants it. */
  #rowsFrame(latents: Float32Array, labels: readonly number[] | undefined): Promise<Frame> {
    const run = this.#turn.then(() => this.#decode(latents, labels));
    this.#turn = run.catch(() => {});
    return run;
  }

  async #decode(latents: Float32Array, labels: readonly number[] | undefined): Promise<Frame> {
    const { decoder, latentShape } = this.#manifest;
    const { ort, session } = await this.#runtime();
    const size = latentShape.reduce((product, side) => product * side, 1);
    const count = latents.length / size;
    const feeds: Record<string, InstanceType<Ort['Tensor']>> = {
      [decoder.input]: new ort.Tensor('float32', latents, [count, ...latentShape]),
    };
    if (decoder.label)
      feeds[decoder.label] = new ort.Tensor(
        'int64',
        BigInt64Array.from({ length: count }, (_, row) => BigInt(labels?.[row] ?? 0)),
        [count],
      );
    const rows = (await session.run(feeds))[decoder.output]!.data as Float32Array;
    this.#natural(rows);
    return { header: {}, arrays: { rows } };
  }

  /** Rows of standardised arrays in the units of the data. */
  #natural(rows: Float32Array): void {
    const { scaling, rowSize } = this.#manifest;
    if (!scaling) return;
    const run = rowSize / scaling.mean.length;
    for (let at = 0; at < rows.length; at += 1) {
      const channel = Math.floor((at % rowSize) / run);
      rows[at] = rows[at]! * scaling.deviation[channel]! + scaling.mean[channel]!;
    }
  }

  #runtime(): Promise<{ ort: Ort; session: Session }> {
    this.#ort ??= (async () => {
      const at = new URL('./ort/', document.baseURI).href;
      const ort = (await import(/* @vite-ignore */ `${at}ort.wasm.min.mjs`)) as Ort;
      ort.env.wasm.wasmPaths = at;
      // Threads need headers that plain servers do not send.
      ort.env.wasm.numThreads = 1;
      const model = await fetch(`./data/${this.#manifest.decoder.file}`);
      if (!model.ok)
        throw new Error(`data/${this.#manifest.decoder.file} is missing: copy the whole folder that was exported.`);
      const session = await ort.InferenceSession.create(new Uint8Array(await model.arrayBuffer()), {
        executionProviders: ['wasm'],
      });
      return { ort, session };
    })();
    return this.#ort;
  }
}

/** Box and Muller 1958, over mulberry32. */
function normal(count: number, seed: number): Float32Array {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}
