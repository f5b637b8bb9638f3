/** Structured lines of what workers do: by pino where it is installed. */

/** What pino's loggers have, and others can have. */
export interface FleetLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export const NO_LOG: FleetLog = { info() {}, warn() {}, error() {} };

/** Lines of JSON on standard error by pino; where it is not installed, plain lines of what went wrong. */
export async function fleetLog(fields: Readonly<Record<string, unknown>> = {}): Promise<FleetLog> {
  const found = await import('pino').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  });
  if (found === undefined) return { info() {}, warn: plain, error: plain };
  const logger = found.pino({ base: { ...fields } }, found.destination({ dest: 2, sync: true }));
  return {
    info: (each, message) => logger.info(each, message),
    warn: (each, message) => logger.warn(each, message),
    error: (each, message) => logger.error(each, message),
  };
}

function plain(fields: Readonly<Record<string, unknown>>, message: string): void {
  process.stderr.write(`${message}: ${JSON.stringify(fields)}\n`);
}
