/** What the figures were measured on. */
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { findPython } from './python-peer.js';

export interface Machine {
  readonly cpu: string;
  /** Cores this process may use. */
  readonly cores: number;
  readonly memoryGb: number;
  readonly os: string;
  readonly node: string;
  /** Versions by package: onnxruntime-node and peers; those not installed are absent. */
  readonly versions: Readonly<Record<string, string>>;
  /** Load average of the last minute when the bench began. */
  readonly load: number;
}

export function describeMachine(packages: readonly string[] = []): Machine {
  const require = createRequire(import.meta.url);
  const versions: Record<string, string> = {};
  for (const name of ['onnxruntime-node', ...packages]) {
    try {
      versions[name] = (require(`${name}/package.json`) as { version: string }).version;
    } catch {
      // Not installed, or it hides its package.json: its version is left out.
    }
  }
  const torch = findPython('torch');
  if (torch.python !== undefined) versions['torch'] = torch.version;
  return {
    cpu: cpuName(),
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    os: `${platform()} ${release()} ${process.arch}`,
    node: process.versions.node,
    versions,
    load: Math.round(loadavg()[0]! * 100) / 100,
  };
}

function cpuName(): string {
  return cpus()[0]?.model.trim() || 'unknown';
}
