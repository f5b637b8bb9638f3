// Clothes in grey pictures of 28×28, from the files of Fashion-MNIST (Debian: dataset-fashion-mnist, in
// /usr/share/datasets/fashion-mnist) or any folder with the MNIST names. With two latent dimensions the report draws the
// whole latent plane.
//
//   node examples/fashion.mjs [--data FOLDER] [--out fashion-output] [--epochs 5] [--latent 16] [--rows 60000]
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readIdx } from 'node-vae';
import { trainAndReport } from './lib/data-example.mjs';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: '/usr/share/datasets/fashion-mnist' },
    out: { type: 'string', default: 'fashion-output' },
    epochs: { type: 'string', default: '5' },
    latent: { type: 'string', default: '16' },
    rows: { type: 'string', default: '60000' },
  },
});
if (!existsSync(options.data)) {
  throw new Error(
    `${options.data} is not there: install dataset-fashion-mnist (Debian), or say where the files are with --data.`,
  );
}

const classes = ['T-shirt', 'trousers', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'boot'];
await trainAndReport({
  title: 'Clothes',
  data: (await readIdx(options.data, { classes })).take(Number(options.rows)),
  out: options.out,
  epochs: Number(options.epochs),
  batchSize: 128,
  learningRate: 0.001,
  latentDim: Number(options.latent),
});
