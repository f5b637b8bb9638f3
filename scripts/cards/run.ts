/**
 * npx tsx scripts/cards/run.ts [NAME…]: trains the cards' models for a moment and writes
 * docs/architectures/NAME.md with its pictures. All of them where no name is given.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { Vae } from '../../src/index.js';
import { CARDS, type Card } from './cards.js';
import { drawBoth, drawSamples, firstRows } from './pictures.js';

const folder = new URL('../../docs/architectures/', import.meta.url);
const names = process.argv.slice(2);
await mkdir(new URL('images/', folder), { recursive: true });
for (const name of names.length > 0 ? names : Object.keys(CARDS)) await write(name, CARDS[name]!);

async function write(name: string, card: Card): Promise<void> {
  const { train, test } = await card.data.read();
  await using vae = await Vae.create({ ...card.model, seed: 1, threads: 2 });
  const history = await vae.fit(train, {
    ...card.fit,
    onProgress: (event) => {
      if (event.kind === 'epoch')
        console.log(`${name}: epoch ${event.epoch}/${event.epochs}, loss ${event.train.loss.toFixed(2)}`);
    },
  });
  const scores = await vae.score(test, { seed: 0 });
  const [reconstruction, kl] = [mean(scores.reconstruction), mean(scores.kl)];
  const shown = firstRows(test, card.picture === 'clips' ? 4 : card.picture === 'waves' ? 24 : 28);
  const reconstructed = await vae.reconstruct(shown);
  const samples = await vae.sample(card.picture === 'clips' ? 6 : card.picture === 'waves' ? 8 : 42, { seed: 1 });
  const asArray = ({ data, dims }: typeof samples) => ({ data: data as Float32Array, shape: dims });
  // Frames are shown from the middle of a word, where something is said.
  const waves = card.picture === 'waves';
  const middle = (array: { data: Float32Array | Uint8Array; shape: readonly number[] }) =>
    waves ? { data: array.data.slice(8 * 512, 16 * 512), shape: [8, 1, 512] } : array;
  const both = await drawBoth(card.picture, middle(shown as never), middle(asArray(reconstructed)));
  await writeFile(new URL(`images/${name}-reconstructions.png`, folder), both);
  await writeFile(new URL(`images/${name}-samples.png`, folder), await drawSamples(card.picture, asArray(samples)));

  const { epochs } = history;
  const code = JSON.stringify(card.model.architecture)
    .replace(/"(\w+)":/g, '$1: ')
    .replaceAll('"', "'")
    .replaceAll(',', ', ');
  await writeFile(
    new URL(`${name}.md`, folder),
    `# ${card.title}: \`${name}\`

${card.text}

After ${card.source}.

| option | meaning | default |
|---|---|---|
${card.options.map(([option, meaning, initial]) => `| \`${option}\` | ${meaning} | ${initial} |`).join('\n')}

## A short run

\`architecture: ${code}\`, ${vae.info.latentDim} latents, likelihood \`${vae.info.likelihood.type}\`, ${vae.info.parameterCount.toLocaleString('en')} parameters.
Data: ${card.data.name}. ${epochs.length} epochs, seed 1: \`npx tsx scripts/cards/run.ts ${name}\`.

| on test data, nats, mean per example | |
|---|---|
| −ELBO | ${(reconstruction + kl).toFixed(2)} |
| reconstruction | ${reconstruction.toFixed(2)} |
| KL divergence | ${kl.toFixed(2)} |

${captions(card)}
`,
  );
  console.log(
    `${name}: -ELBO ${(reconstruction + kl).toFixed(2)}, kl ${kl.toFixed(2)}, ${history.seconds.toFixed(0)} s`,
  );

  function captions({ picture }: Card): string {
    const [first, second] =
      picture === 'waves'
        ? ['Frames of a word it was not trained on (blue) and their reconstructions (orange)', 'Draws from the prior']
        : picture === 'clips'
          ? [
              'Clips it was not trained on, each above its reconstruction, frame by frame',
              'Draws from the prior, seven frames each',
            ]
          : ['Pictures it was not trained on, each above its reconstruction', 'Draws from the prior'];
    return `${first}:\n\n![${first}](images/${name}-reconstructions.png)\n\n${second}:\n\n![${second}](images/${name}-samples.png)`;
  }
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
