/** A long-lived child process that answers JSON lines, so that its rounds can alternate with ours. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface PeerAnswer {
  readonly ok?: boolean;
  readonly error?: string;
  readonly [key: string]: unknown;
}

export class LinePeer {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  private constructor(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.#child.stdin.on('error', () => {});
    this.#child.on('error', (error) => {
      this.#errors += error.message;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Starts the process and waits for its first line. */
  static async start(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<{ peer: LinePeer; ready: PeerAnswer }> {
    const peer = new LinePeer(command, args, env);
    return { peer, ready: await peer.#next() };
  }

  /** @throws Error with the peer's own words where it fails. */
  async ask(request: Readonly<Record<string, unknown>>): Promise<PeerAnswer> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await this.#next();
    if (answer.ok !== true) throw new Error(answer.error ?? 'the peer gave no answer');
    return answer;
  }

  /** Ends its input and waits until it has gone. */
  async close(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  async #next(): Promise<PeerAnswer> {
    const { value, done } = await this.#lines.next();
    if (done)
      throw new Error(`the peer ended: ${this.#errors.trim().split('\n').slice(-3).join(' | ') || 'no message'}`);
    return JSON.parse(value) as PeerAnswer;
  }
}
