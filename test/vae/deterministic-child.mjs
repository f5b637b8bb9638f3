// Prints a digest of what deterministic models compute; for test/vae/processors.mjs and deterministic.test.ts.
//   node deterministic-child.mjs [MODEL…]
import { createHash } from 'node:crypto';

const { Vae } = await import(process.env.PACKAGE ?? 'node-vae');

const picture = { kind: 'image', height: 16, width: 16, channels: 1 };
export const MODELS = {
  mlp: { input: picture, architecture: { type: 'mlp', hidden: [24] }, latentDim: 4 },
  gelu: { input: picture, architecture: { type: 'mlp', hidden: [24], activation: 'gelu' }, latentDim: 4 },
  conv: { input: picture, architecture: { type: 'conv', channels: [4, 8] }, latentDim: 4 },
  resnet: { input: picture, architecture: { type: 'resnet', channels: [8, 16] } },
  sequence: {
    input: { kind: 'sequence', length: 64, channels: 1 },
    architecture: { type: 'conv1d', channels: [4, 8] },
    latentDim: 4,
  },
  ladder: { input: picture, architecture: { type: 'ladder', latents: [3, 2], hidden: [8, 6] } },
  vamp: { input: picture, prior: { type: 'vamp', components: 4 }, latentDim: 4 },
  logistic: { input: picture, likelihood: { type: 'discretised-logistic' }, latentDim: 4 },
};

/** A line for each model: encode, decode, sample, score, the history and the parameters of a short training. */
export async function digests(names = Object.keys(MODELS), settings = {}) {
  const lines = [];
  for (const name of names) {
    const vae = await Vae.create({ ...MODELS[name], seed: 3, deterministic: true, ...settings });
    const size = vae.dataShape.reduce((product, side) => product * side, 1);
    const data = Uint8Array.from({ length: 24 * size }, (_, index) => ((index * 37) ^ (index >> 3)) & 255);
    const rows = { data: data.subarray(0, 5 * size), shape: [5, ...vae.dataShape] };
    const parts = [];
    const add = (...arrays) => {
      const hash = createHash('sha256');
      for (const { buffer, byteOffset, byteLength } of arrays)
        hash.update(new Uint8Array(buffer, byteOffset, byteLength));
      parts.push(hash.digest('hex').slice(0, 8));
    };
    const { mean, logVariance } = await vae.encode(rows);
    add(mean.data, logVariance.data);
    add((await vae.decode(mean)).data);
    add((await vae.sample(3, { seed: 5 })).data);
    const scores = await vae.score(rows, { seed: 7 });
    add(scores.reconstruction, scores.kl);
    const history = await vae.fit(
      { data, shape: [24, ...vae.dataShape] },
      { epochs: 2, batchSize: 8, seed: 9, clipGradientNorm: 1, validation: rows },
    );
    add(Float64Array.from(history.epochs.flatMap(({ train, validation }) => [train.loss, validation?.loss ?? 0])));
    add(...vae.info.parameters.map((parameter) => vae.parameter(parameter.name)));
    await vae.close();
    lines.push(`${name} ${parts.join(' ')}`);
  }
  return lines;
}

if (process.argv[1]?.endsWith('deterministic-child.mjs')) {
  const names = process.argv.slice(2);
  for (const line of await digests(names.length > 0 ? names : undefined)) console.log(line);
}
