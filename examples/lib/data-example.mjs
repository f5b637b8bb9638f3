// What the examples with files of one kind have in common: train, save, and write a report with pictures.
import { join } from 'node:path';
import { modelOptionsFor, Vae } from 'node-vae';
import { trainingCurves, writeReport } from 'node-vae/report';

/**
 * Trains a model that suits the data and writes OUT/model and OUT/report.html.
 *
 * @param {{ title: string, data: import('node-vae').Dataset, out: string, epochs: number, batchSize: number,
 *   learningRate?: number, seed?: number, latentDim?: number, extra?: (vae: Vae) => Promise<[string, string][]>,
 *   figures?: (vae: Vae) => Promise<import('node-vae/report').Figure[]> }} options `extra` gives what is worth telling,
 *   `figures` what is worth showing beside what every model shows
 */
export async function trainAndReport({
  title,
  data,
  out,
  epochs,
  batchSize,
  learningRate = 0.002,
  seed = 1,
  latentDim,
  extra,
  figures,
}) {
  const [held, train] = data.split(0.1, seed);
  const vae = await Vae.create({ ...(await modelOptionsFor(data)), ...(latentDim && { latentDim }), seed });
  try {
    console.log(`${title}: ${train.length} rows of ${data.rowShape.join('×')}, ${vae.info.architecture.type}.`);
    const run = vae.fit(train, {
      epochs,
      batchSize,
      validation: held,
      optimizer: { type: 'adam', learningRate },
      // With few data, the epoch that did best on what was held out, not the last.
      earlyStopping: { patience: epochs },
    });
    for await (const event of run) {
      if (event.kind === 'epoch') {
        console.log(
          `epoch ${event.epoch}/${event.epochs}  loss ${event.train.loss.toFixed(2)}  held out ${event.validation.loss.toFixed(2)}`,
        );
      }
    }
    const history = await run;
    await vae.save(join(out, 'model'));
    const found = (await extra?.(vae)) ?? [];
    for (const [name, value] of found) console.log(`${name}  ${value}`);
    const best = history.epochs.reduce((a, b) => (b.validation.loss < a.validation.loss ? b : a));
    const { page } = await writeReport(out, {
      title,
      subtitle: `${vae.info.architecture.type}, ${vae.info.latentDim} latent dimensions${vae.latentShape.length > 1 ? ' at each place' : ''}`,
      highlights: [
        { label: 'Held-out loss', value: best.validation.loss.toFixed(2), unit: 'nats per row' },
        { label: 'KL divergence', value: best.validation.kl.toFixed(2), unit: 'nats per row' },
      ],
      figures: [
        trainingCurves(history.epochs, { unit: 'row' }),
        ...((await figures?.(vae)) ?? []),
        ...(await vae.plot(held.length > 30 ? held : data)),
      ],
      details: [['Rows', String(data.length)], ...found],
      data: { title, loss: best.validation.loss, ...Object.fromEntries(found) },
    });
    console.log(`Report: ${page}`);
  } finally {
    await vae.close();
  }
}
