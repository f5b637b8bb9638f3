// A worker in a process of its own, of the compiled package; options as JSON in the first argument.
import { writeSync } from 'node:fs';
import { startWorker } from '../../dist/jobs/index.js';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const tell = (level) => (fields, message) => {
  if (process.env.NODE_VAE_FLEET_TALK) writeSync(2, `${level} ${message} ${JSON.stringify(fields)}\n`);
};
const log = { info: tell('info'), warn: tell('warn'), error: tell('error') };
const worker = await startWorker({ ...JSON.parse(process.argv[2]), log, signal: stop.signal });
process.stdout.write('ready\n');
await worker.ended;
