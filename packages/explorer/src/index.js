/** What the explorer of node-vae needs besides node-vae: its page, and a server of HTTP and sockets. */
import { fileURLToPath } from 'node:url';

export { fastify } from 'fastify';
export { WebSocketServer } from 'ws';

/** The built page: index.html and what it loads. */
export const pageFolder = fileURLToPath(new URL('../dist', import.meta.url));
