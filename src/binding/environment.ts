/** What the environment may say to native code; a value that means nothing is refused rather than passed over. */
import { VaeError } from '../core/errors.js';

const INSTRUCTION_SETS: Readonly<Record<string, readonly string[]>> = {
  NODE_VAE_KERNELS_ISA: ['generic', 'avx2', 'avx512'],
  NODE_VAE_CODER_ISA: ['generic', 'sse2', 'avx2', 'avx512'],
};

/** @throws VaeError ERR_VAE_OPTION naming a variable whose value is not known. */
export function checkEnvironment(env: NodeJS.ProcessEnv = process.env): void {
  for (const [name, known] of Object.entries(INSTRUCTION_SETS)) {
    const value = env[name];
    if (value === undefined || value === '' || known.includes(value)) continue;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `The environment variable ${name} is "${value}"; expected one of ${known.join(', ')}, the most that may be used. ` +
        'Unset it for the best that this processor has.',
    );
  }
  threadsVariable(env);
}

/** How many threads the environment asks for; undefined where it does not. */
export function threadsVariable(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const value = env['NODE_VAE_THREADS'];
  if (value === undefined || value === '') return undefined;
  const threads = Number(value);
  if (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS) return threads;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `The environment variable NODE_VAE_THREADS is "${value}"; expected a whole number from 1 to ${MOST_THREADS}. ` +
      'Unset it for as many as this process has processors.',
  );
}

const MOST_THREADS = 1024;
