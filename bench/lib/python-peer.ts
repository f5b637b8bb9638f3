/** Finds a Python with what a peer needs, and starts the scripts under bench/peers with it. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LinePeer, type PeerAnswer } from './line-peer.js';

export type FoundPython =
  | { readonly python: string; readonly version: string }
  | { readonly python?: undefined; readonly missing: string };

/** NODE_VAE_PEER_PYTHON or python3, if `module` can be imported there. */
export function findPython(module: string): FoundPython {
  const chosen = process.env['NODE_VAE_PEER_PYTHON'];
  const python = chosen || 'python3';
  const { status, stdout, error } = spawnSync(python, ['-c', `import ${module}; print(${module}.__version__)`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (status === 0) return { python, version: stdout.trim() };
  const why = error ? `${python} cannot be started` : `${python} cannot import ${module}`;
  return {
    missing: chosen ? `${why} (NODE_VAE_PEER_PYTHON)` : `${why}; name a Python that can in NODE_VAE_PEER_PYTHON`,
  };
}

/** Starts bench/peers/NAME.py with its options. */
export function startPython(
  python: string,
  name: string,
  options: Readonly<Record<string, unknown>>,
): Promise<{ peer: LinePeer; ready: PeerAnswer }> {
  const script = fileURLToPath(new URL(`../peers/${name}.py`, import.meta.url));
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  return LinePeer.start(python, [script, JSON.stringify(options)], env);
}
