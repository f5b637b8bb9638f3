// The queues of jobs in a browser: npm install @bull-board/api @bull-board/fastify fastify bullmq ioredis
// NODE_VAE_REDIS=redis://127.0.0.1:6379 node examples/fleet/bull-board.mjs
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { Queue } from 'bullmq';
import fastify from 'fastify';

const connection = { url: process.env.NODE_VAE_REDIS ?? 'redis://127.0.0.1:6379' };
const server = new FastifyAdapter();
createBullBoard({
  // Reading alone: jobs are cancelled and repeated by node-vae.
  queues: ['default-jobs', 'default-shards'].map(
    (name) => new BullMQAdapter(new Queue(name, { connection, prefix: 'node-vae' }), { readOnlyMode: true }),
  ),
  serverAdapter: server,
});
const app = fastify();
app.register(server.registerPlugin());
// It has no password: keep it on this machine, or behind something that asks for one.
console.log(await app.listen({ port: Number(process.env.PORT ?? 3030), host: '127.0.0.1' }));
