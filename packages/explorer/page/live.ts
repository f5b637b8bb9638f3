/** Answers of a server of node-vae, over HTTP and one socket. */
import { decodeFrame, encodeFrame } from '../../../src/entries/explorer/frames.js';
import type { Arrays, Backend, Frame, State } from './backend.js';

interface Waiting {
  resolve(frame: Frame): void;
  reject(error: Error): void;
}

/** Shorter than anyone waits for. */
const AGAIN_MS = 1500;

export class LiveBackend implements Backend {
  readonly reads: boolean;
  state: State;
  lost = false;
  readonly #listeners = new Set<() => void>();
  readonly #waiting = new Map<number, Waiting>();
  #open: Promise<WebSocket>;
  #count = 0;

  private constructor(state: State) {
    this.state = state;
    this.reads = state.mode === 'model' && state.run === undefined;
    this.#open = this.#connect();
  }

  /** Undefined where no server answers. */
  static async open(): Promise<LiveBackend | undefined> {
    const response = await fetch('api/state').catch(() => undefined);
    if (response === undefined || response.status === 404 || !response.headers.get('content-type')?.includes('json'))
      return undefined;
    const state = (await response.json()) as State & { error?: string };
    if (!response.ok) throw new Error(state.error ?? `The server answers ${response.status}.`);
    return new LiveBackend(state);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async part(name: string): Promise<Frame | undefined> {
    const response = await fetch(`api/part/${name}`);
    if (response.status === 204) return undefined;
    return this.#frame(response);
  }

  async ask(op: string, header: object = {}, arrays: Arrays = {}, signal?: AbortSignal): Promise<Frame> {
    const socket = await this.#open;
    this.#count += 1;
    const id = this.#count;
    return new Promise<Frame>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      signal?.addEventListener('abort', () => {
        if (!this.#waiting.delete(id)) return;
        if (socket.readyState === WebSocket.OPEN)
          socket.send(encodeFrame({ header: { id, op: 'cancel' }, arrays: {} }));
        reject(signal.reason);
      });
      socket.send(encodeFrame({ header: { ...header, id, op }, arrays }));
    });
  }

  async upload(name: string, bytes: ArrayBuffer): Promise<Frame> {
    const response = await fetch(`api/read?name=${encodeURIComponent(name)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
    return this.#frame(response);
  }

  async #frame(response: Response): Promise<Frame> {
    if (!response.ok) {
      const { error } = (await response.json().catch(() => ({}))) as { error?: string };
      throw new Error(error ?? `The server answers ${response.status}.`);
    }
    return decodeFrame(new Uint8Array(await response.arrayBuffer()));
  }

  #connect(): Promise<WebSocket> {
    const address = new URL('api/socket', location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    address.hash = '';
    const socket = new WebSocket(address);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => this.#take(decodeFrame(new Uint8Array(data as ArrayBuffer))));
    socket.addEventListener('close', () => this.#closed());
    return new Promise((resolve, reject) => {
      socket.addEventListener('open', () => {
        this.lost = false;
        this.#tell();
        resolve(socket);
      });
      socket.addEventListener('close', () => reject(new Error('The server does not answer.')));
    });
  }

  #take(frame: Frame): void {
    const { id, error, event, state } = frame.header as { id?: number; error?: string; event?: string; state?: State };
    if (event === 'state' && state) {
      this.state = state;
      this.#tell();
      return;
    }
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id!);
    if (error === undefined) waiting.resolve(frame);
    else waiting.reject(new Error(error));
  }

  #closed(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('The connection to the server was lost.'));
    this.#waiting.clear();
    this.lost = true;
    this.#tell();
    setTimeout(() => {
      this.#open = this.#connect();
      this.#open.catch(() => {});
    }, AGAIN_MS);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
