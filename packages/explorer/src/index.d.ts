export { fastify } from 'fastify';
export { WebSocketServer } from 'ws';

/** The built page: index.html and what it loads. */
export declare const pageFolder: string;
