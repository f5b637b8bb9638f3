import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { LinePeer } from '../../bench/lib/line-peer.js';
import { renderTable, toJson } from '../../bench/lib/report.js';
import { alternate } from '../../bench/lib/rounds.js';
import { quantile } from '../../bench/lib/stats.js';
import type { BenchCase } from '../../bench/lib/types.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function bench(...args: string[]) {
  return spawnSync('npx', ['tsx', 'bench/run.ts', ...args], { cwd: ROOT, encoding: 'utf8' });
}

describe('npm run bench', () => {
  it('lists every bench with its question', () => {
    const { status, stdout } = bench();
    expect(status).toBe(0);
    const files = readdirSync(`${ROOT}/bench`).filter((file) => file.endsWith('.ts') && file !== 'run.ts');
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) expect(stdout).toMatch(new RegExp(`^ +${file.slice(0, -3)} +\\S.*\\?$`, 'm'));
  });

  it('refuses what it does not know with exit code 2', () => {
    const unknown = bench('inferense');
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain('did you mean "inference"');
    expect(bench('inference', '--rounds', 'x').status).toBe(2);
    expect(bench('inference', '--fast').status).toBe(2);
  });
});

describe('rounds', () => {
  it('take turns and give medians', async () => {
    const order: string[] = [];
    const values = { a: [3, 1, 2], b: [10, 30, 20] };
    const contender = (name: 'a' | 'b') => ({
      name,
      round: async () => {
        // A round that other processes disturbed is asked for again at once: the same turn, the same figure.
        if (order.at(-1) !== name) order.push(name);
        return values[name][order.filter((entry) => entry === name).length - 1]!;
      },
    });
    const context = { threads: 1, rounds: 3, profile: false, log: () => {} };
    const timings = await alternate([contender('a'), contender('b')], context, { settleMs: 1 });
    expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(timings['a']).toMatchObject({ median: 2, best: 1, samples: [3, 1, 2] });
    expect(timings['b']).toMatchObject({ median: 20, best: 10, samples: [10, 30, 20] });
  });

  it('quantiles lie between ranks', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3], 1)).toBe(3);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('reports', () => {
  const entry = (name: string, ours: number, peer: number): BenchCase => ({
    name,
    ours: { p50Us: ours },
    peers: { other: { p50Us: peer } },
    ratios: { other: peer / ours },
  });
  const machine = { cpu: '', cores: 1, memoryGb: 1, os: '', node: '', versions: {}, load: 0 };

  it('give the worst ratio of all cases, and every case', () => {
    const cases = [entry('1', 10, 20), entry('16', 10, 9)];
    expect(toJson('x', '?', machine, { cases, missing: {}, sections: [] })).toMatchObject({
      bench: 'x',
      ours: { '1 p50Us': 10, '16 p50Us': 10 },
      peers: { other: { '1 p50Us': 20, '16 p50Us': 9 } },
      ratios: { other: 0.9 },
    });
    expect(toJson('x', '?', machine, { cases: cases.slice(0, 1), missing: {}, sections: [] })).toMatchObject({
      ours: { p50Us: 10 },
      ratios: { other: 2 },
    });
  });

  it('align columns', () => {
    expect(
      renderTable([
        ['a', 'bb'],
        ['ccc', 'd'],
      ]),
    ).toBe('a    bb\n---  --\nccc   d');
  });
});

describe('line peers', () => {
  const script = `
    const lines = require('node:readline').createInterface({ input: process.stdin });
    console.log(JSON.stringify({ ready: true, pid: process.pid }));
    lines.on('line', (line) => {
      const { n } = JSON.parse(line);
      if (n < 0) { console.error('out of order'); process.exit(3); }
      console.log(JSON.stringify(n === 0 ? { ok: false, error: 'zero' } : { ok: true, half: n / 2 }));
    });`;

  it('answer line by line and end with their input', async () => {
    const { peer, ready } = await LinePeer.start(process.execPath, ['-e', script]);
    expect(ready['ready']).toBe(true);
    expect((await peer.ask({ n: 5 }))['half']).toBe(2.5);
    await expect(peer.ask({ n: 0 })).rejects.toThrow('zero');
    expect((await peer.ask({ n: 8 }))['half']).toBe(4);
    await peer.close();
    expect(() => process.kill(ready['pid'] as number, 0)).toThrow();
  });

  it('that end early say why, and those that cannot start too', async () => {
    const { peer } = await LinePeer.start(process.execPath, ['-e', script]);
    await expect(peer.ask({ n: -1 })).rejects.toThrow('out of order');
    await peer.close();
    await expect(LinePeer.start('/no/such/program', [])).rejects.toThrow('ENOENT');
  });
});
