/** Who may ask: this machine's own page, and whoever has the token where the server is bound wider. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

const COOKIE = 'node-vae-explorer';

/** Why a request is refused; undefined where it is not. */
export type Refusal = { readonly status: 401 | 403; readonly message: string } | undefined;

export class Guard {
  readonly #host: string;
  /** Undefined on addresses that only this machine reaches. */
  readonly token: string | undefined;

  constructor(host: string) {
    this.#host = host;
    this.token = isLoopback(host) ? undefined : randomBytes(16).toString('hex');
  }

  /**
   * Names by which a browser may call this server: a page of another site whose name was made to lead here (DNS rebinding)
   * calls it by its own name. Pages of other origins may not ask at all.
   */
  check({ headers, url = '/' }: IncomingMessage, kind: 'page' | 'data' | 'socket'): Refusal {
    const host = headers.host ?? '';
    if (!this.#isOurs(nameOf(host))) {
      return { status: 403, message: 'This server is not known by that name. Open the address it has printed.' };
    }
    const { origin } = headers;
    const site = headers['sec-fetch-site'];
    const foreign =
      (origin !== undefined && origin !== `http://${host}`) ||
      // A link on another site may open the page; what the page then asks is its own.
      (kind !== 'page' && site !== undefined && site !== 'same-origin' && site !== 'none') ||
      (kind === 'socket' && origin === undefined);
    if (foreign) return { status: 403, message: 'Requests from other sites are refused.' };
    if (this.token !== undefined && ![tokenOfUrl(url), tokenOfCookie(headers.cookie)].some((one) => this.#is(one))) {
      return { status: 401, message: 'The token is missing. Open the address that the command has printed.' };
    }
    return undefined;
  }

  /** What a browser keeps, so that what the page loads has the token too. */
  get cookie(): string | undefined {
    return this.token && `${COOKIE}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
  }

  #isOurs(name: string): boolean {
    if (name === 'localhost' || isLoopback(name)) return true;
    if (isLoopback(this.#host)) return false;
    return isIP(name) !== 0 || name === this.#host.toLowerCase() || name === hostname().toLowerCase();
  }

  #is(token: string | undefined): boolean {
    const [given, right] = [Buffer.from(token ?? ''), Buffer.from(this.token ?? '')];
    return given.length === right.length && timingSafeEqual(given, right);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Of `name:port` or `[::1]:port`. */
function nameOf(host: string): string {
  return (/^\[([^\]]+)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

function tokenOfUrl(url: string): string | undefined {
  return new URL(url, 'http://localhost').searchParams.get('token') ?? undefined;
}

function tokenOfCookie(cookie: string | undefined): string | undefined {
  const entry = cookie?.split(/;\s*/).find((one) => one.startsWith(`${COOKIE}=`));
  return entry?.slice(COOKIE.length + 1);
}
