import type { ServiceOptions } from '../../entries/service/index.js';
import type { RegisterCommand } from '../command.js';
import { note } from '../output.js';
import { wholeNumber } from '../parse.js';
import { addSessionOptions, type SessionFlags, sessionOptions } from '../shared-options.js';

interface ServeFlags extends SessionFlags {
  readonly port?: number;
  readonly host: string;
  readonly archives?: string;
  readonly maxBatch?: number;
  readonly maxQueue?: number;
}

export const registerServe: RegisterCommand = (program, run) => {
  const command = program
    .command('serve')
    .summary('answer requests over HTTP: encode, decode, reconstruct, sample, score, archives')
    .description(
      'Runs a model as an HTTP service, until SIGTERM or SIGINT. Needs the package fastify; with prom-client it has\n' +
        '/metrics, with @opentelemetry/api spans.',
    )
    .argument('<model>', 'model directory, or the name of a model of this package')
    .option('--port <n>', 'port; 0: any that is free (default: PORT of the environment, else 3000)', wholeNumber(0))
    .option('--host <name>', 'address to listen on; 0.0.0.0: all', '127.0.0.1')
    .option('--archives <folder>', 'folder whose archives (*.vaez) may be read by range of items')
    .option('--max-batch <n>', 'rows of one run (default: 64)', wholeNumber(1))
    .option('--max-queue <n>', 'rows that may wait; more are answered 503 (default: 1024)', wholeNumber(1));
  addSessionOptions(command).addHelpText(
    'after',
    `
Limits come from the environment: NODE_VAE_MAX_BODY_BYTES, NODE_VAE_REQUEST_TIMEOUT_MS, NODE_VAE_SHUTDOWN_MS and others;
see docs/guides/serving.md. GET /openapi.json describes the service.

Examples:
  $ node-vae serve mnist-mlp --port 3000
  $ curl --data-binary @digit.png -H 'content-type: image/png' http://127.0.0.1:3000/reconstruct -o again.png
  $ curl 'http://127.0.0.1:3000/sample?count=4&seed=1'`,
  );
  return command.action((source: string, flags: ServeFlags) =>
    run(async (signal) => {
      const { Vae } = await import('../../index.js');
      const { createService, serviceOptionsFrom } = await import('../../entries/service/index.js');
      const { archives, maxBatch, maxQueue } = flags;
      const options: ServiceOptions = {
        ...serviceOptionsFrom(),
        ...(archives !== undefined && { archives }),
        ...(maxBatch !== undefined && { maxBatch }),
        ...(maxQueue !== undefined && { maxQueue }),
      };
      await using vae = await Vae.load(source, sessionOptions(flags));
      await using service = await createService(vae, options);
      const port = flags.port ?? wholeNumber(0)(process.env['PORT'] || '3000');
      const address = await service.listen({ port, host: flags.host });
      note(`listening on ${address}`);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await service.close();
      return { data: { model: source, address }, rows: [['Served', source]], endsBySignal: true };
    }),
  );
};
