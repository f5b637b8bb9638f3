#!/usr/bin/env node
// Everything that is to be known of a card, in one unattended run of under ten minutes:
//
//   node run.mjs [--provider cuda] [--steps 200] [--cases mlp,conv,resnet,decoder] [--python python3] [--json FILE]
//     [--check-steps 50] [--check-rows 1024]
//
// Correctness (check.mjs), losses of training beside the processor's, milliseconds of a step, of encoding and of decoding
// beside PyTorch on the same device. Needs what pack.mjs carries, no network. Ends with 1 where something is wrong.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { listProviders, Vae } from 'node-vae';
import { CASES } from './cases.mjs';

const { values } = parseArgs({
  options: {
    provider: { type: 'string', default: 'cuda' },
    steps: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    cases: { type: 'string', default: Object.keys(CASES).join() },
    python: { type: 'string', default: 'python3' },
    'check-steps': { type: 'string', default: '50' },
    'check-rows': { type: 'string', default: '1024' },
    json: { type: 'string' },
  },
});
const steps = Number(values.steps);
const rounds = Number(values.rounds);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const report = { provider: values.provider, processor: cpus()[0]?.model, node: process.version, cases: {}, wrong: [] };
const say = (...words) => console.log(...words);

report.devices = listProviders().filter(({ name }) => name === values.provider);
say(JSON.stringify(report.devices));

/** Milliseconds of the median round. */
async function median(count, work, warm = 3) {
  const taken = [];
  for (let round = -warm; round < count; round += 1) {
    const from = performance.now();
    await work();
    if (round >= 0) taken.push(performance.now() - from);
  }
  return taken.sort((a, b) => a - b)[taken.length >> 1];
}

function rowsOf({ shape, rows }) {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const data = Uint8Array.from({ length: rows * size }, (_, at) => (Math.imul(at, 2654435761) >>> 13) & 255);
  return { data, shape: [rows, ...shape] };
}

async function using({ options }, provider, work) {
  const vae = await Vae.create({ ...options, seed: 1, provider });
  try {
    return await work(vae);
  } finally {
    await vae.close();
  }
}

/** Losses of some steps there and on the processor; their largest relative distance. */
async function distanceOfLosses(each) {
  const count = Number(values['check-steps']);
  const small = { ...each, batch: Math.min(8, each.batch), rows: 8 };
  const losses = (provider) =>
    using(small, provider, async (vae) => {
      const history = await vae.fit(rowsOf(small), { epochs: count, batchSize: small.batch, shuffle: false });
      return history.epochs.map(({ train }) => train.loss);
    });
  const [there, here] = [await losses(values.provider), await losses('cpu')];
  return Math.max(...here.map((loss, step) => Math.abs(there[step] / loss - 1)));
}

/** Milliseconds of a step: those of the last epoch, without what making the session takes. */
async function timeTraining(each) {
  const epochs = Math.max(2, Math.ceil((steps * each.batch) / each.rows) + 1);
  const history = await using(each, values.provider, (vae) => vae.fit(rowsOf(each), { epochs, batchSize: each.batch }));
  const later = history.epochs.slice(1).map(({ seconds }) => (1000 * seconds * each.batch) / each.rows);
  return later.sort((a, b) => a - b)[later.length >> 1];
}

function timeInference(each) {
  return using(each, values.provider, async (vae) => {
    const count = each.inferenceBatch;
    const { data, shape } = rowsOf({ ...each, rows: count });
    const latents = count * vae.latentShape.reduce((product, dim) => product * dim, 1);
    const numbers = Float32Array.from({ length: latents }, (_, at) => Math.sin(at));
    const z = { data: numbers, shape: [count, ...vae.latentShape] };
    return {
      ...(each.encode && { encode: await median(rounds, () => vae.encode({ data, shape })) }),
      decode: await median(rounds, () => vae.decode(z)),
    };
  });
}

/** PyTorch's figures on the same device; undefined where it is not there. */
function peer(each) {
  const { options: _, ...rest } = each;
  const given = { ...rest, device: values.provider === 'cpu' ? 'cpu' : 'cuda', steps: each.batch && steps, rounds };
  const { status, stdout, stderr } = spawnSync(values.python, [here('peer.py'), JSON.stringify(given)], {
    encoding: 'utf8',
  });
  if (status === 0) return JSON.parse(stdout.trim().split('\n').at(-1));
  say(`PyTorch: ${(stderr ?? '').trim().split('\n').at(-1) || `${values.python} ended with ${status}`}`);
  return undefined;
}

// A model of convolutions with the weights that it begins with.
const folder = await mkdtemp(join(tmpdir(), 'node-vae-card-'));
await using(CASES.conv, 'cpu', (vae) => vae.save(join(folder, 'conv')));
for (const model of ['mnist-mlp', join(folder, 'conv')]) {
  say(`\nCorrectness: ${basename(model)}`);
  const { status } = spawnSync(
    process.execPath,
    [
      here('check.mjs'),
      ...['--provider', values.provider, '--model', model],
      ...['--rounds', values.rounds, '--rows', values['check-rows']],
    ],
    { stdio: 'inherit' },
  );
  if (status !== 0) report.wrong.push(`check.mjs of ${basename(model)} ended with ${status}`);
}
await rm(folder, { recursive: true, force: true });

for (const name of values.cases.split(',')) {
  const each = CASES[name];
  if (each === undefined)
    throw new Error(`--cases: there is no "${name}"; there are ${Object.keys(CASES).join(', ')}.`);
  say(`\n${name}`);
  try {
    const theirs = peer(each);
    const ours = {};
    if (each.batch > 0) {
      ours.lossDistance = await distanceOfLosses(each);
      if (!(ours.lossDistance < 1e-3)) report.wrong.push(`${name}: losses differ by ${ours.lossDistance}`);
      ours.train = await timeTraining(each);
    }
    Object.assign(ours, await timeInference(each));
    report.cases[name] = { ours, theirs };
    if (ours.lossDistance !== undefined) {
      say(`losses of ${values['check-steps']} steps within ${ours.lossDistance.toExponential(1)} of the processor's`);
    }
    console.table(
      Object.fromEntries(
        ['train', 'encode', 'decode']
          .filter((kind) => ours[kind] !== undefined)
          .map((kind) => {
            const other = theirs?.[kind];
            const ratio = other === undefined ? '-' : (other / ours[kind]).toFixed(2);
            return [`${kind}, ms`, { ours: ours[kind].toFixed(3), PyTorch: other?.toFixed(3) ?? '-', ratio }];
          }),
      ),
    );
  } catch (error) {
    say(error);
    report.wrong.push(`${name}: ${error.message}`);
  }
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
for (const what of report.wrong) console.error(what);
process.exitCode = report.wrong.length > 0 ? 1 : 0;
