/** models/RESULTS.md: our figures beside the published ones, kept as JSON and written out as a table. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { EXPERIMENTS } from './experiments.js';

const folder = new URL('../../models/results/', import.meta.url);
const page = new URL('../../models/RESULTS.md', import.meta.url);

export interface Result {
  readonly experiment: string;
  readonly figure: number;
  /** Means over the test images, in nats. */
  readonly reconstruction: number;
  readonly kl: number;
  readonly testImages: number;
  readonly epochs: number;
  readonly trainMinutes: number;
  /** Of training and scoring, all threads together: what does not depend on who else uses the machine. */
  readonly processorMinutes?: number;
  readonly parameters: number;
  readonly seed: number;
  readonly machine: string;
}

export async function writeResult(result: Result): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(new URL(`${result.experiment}.json`, folder), `${JSON.stringify(result, null, 2)}\n`);
  await writeFile(page, await table());
  return fileURLToPath(page);
}

async function table(): Promise<string> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const results = await Promise.all(
    files.map(async (name) => JSON.parse(await readFile(new URL(name, folder), 'utf8')) as Result),
  );
  return `# Results

\`npm run reproduce -- NAME\` trains an experiment from scratch on real data and writes its line here.
Nats: the importance-weighted bound of −log p(x), mean per test image, on dynamically binarised digits.
Bits per dimension: the negative evidence lower bound of 8-bit test images. Less is better.

${results.map(section).join('\n')}`;
}

function section(result: Result): string {
  const { processorMinutes } = result;
  const work =
    processorMinutes === undefined ? '' : ` (${processorMinutes.toFixed(1)} of processor time, scoring included)`;
  const { title, figure, limit, published, model } = EXPERIMENTS[result.experiment]!;
  const unit = figure.kind === 'nats' ? `nats (${figure.importanceSamples} samples)` : 'bits/dim';
  const digits = figure.kind === 'nats' ? 2 : 3;
  return `## ${result.experiment}

${title}.

| | ${unit} |
|---|---|
| **node-vae** | **${result.figure.toFixed(digits)}** |
| to pass | ${limit.toFixed(digits)} |
${published.map(({ source, figure: value }) => `| ${source} | ${value.toFixed(digits)} |`).join('\n')}

Reconstruction ${result.reconstruction.toFixed(2)} nats, KL divergence ${result.kl.toFixed(2)} nats, mean of ${result.testImages} test images.
${result.epochs} epochs in ${result.trainMinutes.toFixed(1)} minutes${work}, ${result.parameters} parameters, seed ${result.seed}; ${result.machine}.

\`\`\`json
${JSON.stringify(model)}
\`\`\`
`;
}
