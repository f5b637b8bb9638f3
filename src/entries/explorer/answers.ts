/** Answers of a model to questions of its page. */
import { VaeError } from '../../core/errors.js';
import type { Dataset } from '../../data/dataset.js';
import { stateOf, type Vae } from '../../vae/vae.js';
import { drawPrior } from './draws.js';
import type { Frame } from './frames.js';
import type { LatentMap } from './latent-map.js';
import { asked, askedRows, unknownQuestion } from './questions.js';
import { naturalRows } from './rows.js';
import type { Question } from './subject.js';

const MOST_DECODED = 256;

/** What answers are made from. */
export interface Answering {
  readonly vae: Vae;
  readonly batcher: ReturnType<Vae['batcher']>;
  readonly data: Dataset | undefined;
  readonly rows: number;
  /** @throws VaeError ERR_VAE_BUSY before it is there. */
  readonly map: LatentMap;
  /** Latents of the farthest draws of the prior. */
  readonly holes: Float32Array;
  /** Elements of a latent. */
  readonly dimensions: number;
}

type Answer = (subject: Answering, question: Question) => Promise<Frame>;

const ANSWERS: Readonly<Record<string, Answer>> = {
  /** A row with what the model makes of it. */
  item: async (subject, question) => {
    const { row } = asked('item', question);
    const { signal } = question;
    checkRow(subject, row);
    const label = subject.data?.labels?.values[row];
    const labels = subject.vae.info.condition ? { labels: label ?? 0 } : {};
    if (subject.data === undefined) {
      const mean = await drawnLatent(subject, row);
      const rebuilt = await subject.batcher.decode(
        { data: mean, shape: [1, ...latentShape(subject)] },
        { signal, ...labels },
      );
      return { header: { row }, arrays: { rebuilt: rebuilt.data as Float32Array, mean } };
    }
    const original = await naturalRows(subject.data, [row], bytesOf(subject), signal);
    const shape = [1, ...subject.data.rowShape];
    const { mean, logVariance } = await subject.batcher.encode({ data: original, shape }, { signal, ...labels });
    const rebuilt = await subject.batcher.decode(mean, { signal, ...labels });
    return {
      header: { row, ...(label !== undefined && { label }) },
      arrays: {
        original,
        rebuilt: rebuilt.data as Float32Array,
        mean: mean.data as Float32Array,
        logVariance: logVariance.data as Float32Array,
      },
    };
  },
  /** Rows as they are; of a model without data, as it draws them. */
  rows: async (subject, question) => {
    const { rows } = asked('rows', question);
    for (const row of rows) checkRow(subject, row);
    if (subject.data) {
      return { header: {}, arrays: { rows: await naturalRows(subject.data, rows, bytesOf(subject), question.signal) } };
    }
    const latents = new Float32Array(rows.length * subject.dimensions);
    for (const [index, row] of rows.entries()) latents.set(await drawnLatent(subject, row), index * subject.dimensions);
    return decoded(subject, latents, subject.vae.info.condition && rows.map(() => 0), question.signal);
  },
  decode: async (subject, question) => {
    const { labels } = asked('decode', question);
    const latents = askedRows(question, 'latents', subject.dimensions, MOST_DECODED);
    const count = latents.length / subject.dimensions;
    if (subject.vae.info.condition && labels?.length !== count) {
      throw new VaeError('ERR_VAE_OPTION', `The question "decode": expected ${count} labels.`);
    }
    return decoded(subject, latents, subject.vae.info.condition && labels, question.signal);
  },
  nearest: async (subject, question) => {
    const { count } = asked('nearest', question);
    const latent = askedRows(question, 'latent', subject.map.kept.length, 1);
    const found = await subject.map.nearest(latent, count, question.signal);
    return {
      header: {},
      arrays: {
        rows: Int32Array.from(found, ({ row }) => row),
        distances: Float32Array.from(found, ({ distance }) => distance),
      },
    };
  },
  draw: async (subject, question) => {
    const { count, seed, temperature, label } = asked('draw', question);
    const { signal } = question;
    const latents = await drawPrior(subject.vae, count, { seed, temperature, label, signal });
    const labels = subject.vae.info.condition && Array.from({ length: count }, () => label ?? 0);
    const { arrays } = await decoded(subject, latents, labels, signal);
    return { header: {}, arrays: { latents, ...arrays } };
  },
  /** What the prior draws where no row lies. */
  holes: async (subject, question) => {
    const { holes } = subject;
    if (holes.length === 0) return { header: {}, arrays: { latents: holes, rows: holes } };
    const labels = subject.vae.info.condition && Array.from({ length: holes.length / subject.dimensions }, () => 0);
    const { arrays } = await decoded(subject, holes, labels, question.signal);
    return { header: {}, arrays: { latents: holes, ...arrays } };
  },
};

export function answerModel(subject: Answering, question: Question): Promise<Frame> {
  const answer = Object.hasOwn(ANSWERS, question.op) ? ANSWERS[question.op] : undefined;
  if (answer === undefined) throw unknownQuestion(question.op);
  return answer(subject, question);
}

async function decoded(
  subject: Answering,
  latents: Float32Array,
  labels: readonly number[] | undefined,
  signal: AbortSignal,
): Promise<Frame> {
  const shape = [latents.length / subject.dimensions, ...latentShape(subject)];
  const call = { signal, ...(labels && { labels: [...labels] }) };
  const rows = await subject.batcher.decode({ data: latents, shape }, call);
  return { header: {}, arrays: { rows: rows.data as Float32Array } };
}

/** Of models of any size, as large as the data make it. */
function latentShape({ vae, data }: Answering): readonly number[] {
  if (!vae.latentShape.includes(-1)) return vae.latentShape;
  const { networks } = stateOf(vae).engine;
  return vae.latentShape.map((side, axis) => (side === -1 ? data!.rowShape[axis]! / networks.downsampling! : side));
}

/** The kept dimensions are all there are of a draw of moderate size; else the rest stands in the middle. */
async function drawnLatent({ map }: Answering, row: number): Promise<Float32Array> {
  const latent = map.base.slice();
  const width = map.kept.length;
  for (const [index, dimension] of map.kept.entries()) latent[dimension] = map.latents[row * width + index]!;
  return latent;
}

function bytesOf({ vae }: Answering) {
  return stateOf(vae).engine.networks.bytes;
}

function checkRow({ rows }: Answering, row: number): void {
  if (row < rows) return;
  throw new VaeError('ERR_VAE_OPTION', `There are ${rows} rows, from 0; received ${row}.`);
}
