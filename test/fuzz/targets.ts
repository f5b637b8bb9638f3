/** Every parser of bytes from outside, as a fuzz target. Their files live in a folder of the caller's. */
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { decodeRecord, RECORD_BYTES } from '../../src/archive/format.js';
import { parseConfig } from '../../src/artifacts/config.js';
import { decodeOrtCheckpoint } from '../../src/artifacts/onnxruntime/checkpoint.js';
import { readOrtOptimizer } from '../../src/artifacts/onnxruntime/optimizer.js';
import { decodeSafeTensors } from '../../src/artifacts/safetensors.js';
import { compress, decompress, listArchive, mergeArchives, openArchive, splitArchive } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { decodeSegment } from '../../src/codecs/sound/segment.js';
import type { VaeErrorCode } from '../../src/core/errors.js';
import { WavFile, WavWriter } from '../../src/data/audio/wav.js';
import { parseIdx } from '../../src/data/idx/format.js';
import { formatNpy, parseNpy, readImages, readTable } from '../../src/data/index.js';
import { Y4mFile } from '../../src/data/video/y4m.js';
import { readModel, simplifyModel, writeModel } from '../../src/graph/index.js';
import { TrainingSession } from '../../src/training/training-session.js';
import { Vae } from '../../src/vae/index.js';
import { stateOf } from '../../src/vae/vae.js';

import { goldenPath } from '../artifacts/onnxruntime/golden.js';
import { randomItems, randomSpec } from '../codecs/random-spec.js';
import { photographs } from './photographs.js';
import type { FuzzTarget } from './target.js';

const SOUND_CODEC = fileURLToPath(new URL('../../models/sound-codec', import.meta.url));

const FORMAT: readonly VaeErrorCode[] = ['ERR_VAE_FORMAT'];
const GRAPH: readonly VaeErrorCode[] = [
  'ERR_VAE_FORMAT',
  'ERR_VAE_GRAPH',
  'ERR_VAE_SHAPE',
  'ERR_VAE_UNSUPPORTED_OPERATOR',
  'ERR_VAE_IO',
];

export async function makeTargets(folder: string): Promise<FuzzTarget[]> {
  const model = join(folder, 'model');
  const vae = await Vae.create({
    architecture: { type: 'conv', channels: [2, 3] },
    input: { kind: 'image', height: 8, width: 8, channels: 1 },
    latentDim: 2,
    seed: 1,
  });
  const data = { data: Float32Array.from({ length: 64 * 6 }, (_, i) => (i % 7) / 7), shape: [6, 1, 8, 8] };
  await vae.fit(data, { epochs: 1, batchSize: 3 });
  await vae.save(model, { training: true });
  await vae.close();
  const file = (...parts: string[]) => readFile(join(model, ...parts));
  const onnx = await Promise.all(
    [['encoder.onnx'], ['decoder.onnx'], ['training', 'training_model.onnx'], ['training', 'optimizer_model.onnx']].map(
      (parts) => file(...parts),
    ),
  );
  return [
    {
      name: 'ONNX',
      layout: 'binary',
      head: 4000,
      rounds: 2000,
      seeds: onnx,
      errors: GRAPH,
      parse: (bytes) => {
        const read = readModel(bytes);
        simplifyModel(read);
        writeModel(read);
      },
    },
    {
      name: 'safetensors',
      layout: 'binary',
      head: 600,
      rounds: 4000,
      seeds: [await file('training', 'checkpoint.safetensors')],
      errors: FORMAT,
      parse: (bytes) => decodeSafeTensors(bytes, 'x.safetensors'),
    },
    {
      name: 'checkpoint of ONNX Runtime',
      layout: 'binary',
      // Its tables stand behind the tensors and before them.
      head: 1500,
      rounds: 4000,
      seeds: await Promise.all(
        ['gru-adamw/checkpoint', 'conv-adamw/nominal_checkpoint', 'conv-adamw.step25.checkpoint'].map((name) =>
          readFile(goldenPath(name)),
        ),
      ),
      errors: FORMAT,
      parse: (bytes) => {
        const { trainable, nominal } = decodeOrtCheckpoint(bytes, 'checkpoint');
        for (const { data } of trainable)
          if (!nominal && data.byteLength > bytes.byteLength) throw new Error('more than all');
      },
    },
    {
      name: 'optimizer of ONNX Runtime',
      layout: 'binary',
      head: 600,
      rounds: 2000,
      seeds: await Promise.all(
        ['vae-adamw-clip', 'conv-sgd'].map((name) => readFile(join(goldenPath(name), 'optimizer_model.onnx'))),
      ),
      errors: [...FORMAT, 'ERR_VAE_UNSUPPORTED_OPERATOR'],
      parse: (bytes) => readOrtOptimizer(bytes, 'optimizer_model.onnx'),
    },
    await ortDirectory(folder),
    {
      name: 'config.json',
      layout: 'text',
      head: 2000,
      rounds: 3000,
      seeds: [await file('config.json')],
      errors: FORMAT,
      parse: (bytes) => parseConfig(Buffer.from(bytes).toString('utf8'), 'config.json'),
    },
    await modelDirectory(folder, await file('config.json'), model),
    await checkpoint(folder, await file('training', 'checkpoint.safetensors'), model),
    await pair(folder, onnx[0]!, onnx[1]!),
    {
      name: '.npy',
      layout: 'binary',
      head: 120,
      rounds: 4000,
      seeds: [
        formatNpy({ data: new Float32Array(12).fill(0.5), shape: [3, 4] }),
        formatNpy({ data: new Uint8Array(24), shape: [2, 3, 4] }),
      ],
      errors: FORMAT,
      parse: (bytes) => sameLength(parseNpy(bytes).dims, parseNpy(bytes).data.length),
    },
    {
      name: 'IDX',
      layout: 'binary',
      head: 16,
      rounds: 4000,
      seeds: [Uint8Array.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, ...Array(12).keys()])],
      errors: FORMAT,
      parse: (bytes) => {
        const { data: values, shape } = parseIdx(bytes, 'x');
        sameLength(shape, values.length);
      },
    },
    ...(await tables(folder)),
    await pictures(folder),
    sound(folder),
    film(folder),
    ...(await archives(folder)),
    ...(await photographs(folder)),
  ];
}

function sameLength(shape: readonly number[], length: number): void {
  const elements = shape.reduce((product, axis) => product * axis, 1);
  if (elements !== length) throw new Error(`shape [${shape.join(', ')}] with ${length} elements`);
}

/** A whole model whose config.json is damaged. */
async function modelDirectory(folder: string, config: Uint8Array, model: string): Promise<FuzzTarget> {
  const at = join(folder, 'damaged-model');
  await mkdir(at);
  for (const name of ['encoder.onnx', 'decoder.onnx'])
    await writeFile(join(at, name), await readFile(join(model, name)));
  return {
    name: 'model directory',
    layout: 'text',
    head: 2000,
    rounds: 400,
    seeds: [config],
    errors: [...GRAPH, 'ERR_VAE_OPTION'],
    parse: async (bytes) => {
      await writeFile(join(at, 'config.json'), bytes);
      await (await Vae.load(at)).close();
    },
  };
}

/** A directory of onnxruntime-training whose graph or whose checkpoint is damaged, opened for training. */
async function ortDirectory(folder: string): Promise<FuzzTarget> {
  const at = join(folder, 'damaged-artifacts');
  await cp(goldenPath('conv-adamw'), at, { recursive: true });
  const [graph, state] = await Promise.all(['eval_model.onnx', 'checkpoint'].map((name) => readFile(join(at, name))));
  return {
    name: 'artifacts of ONNX Runtime',
    layout: 'binary',
    head: 1500,
    rounds: 300,
    seeds: [graph!, state!],
    errors: [...GRAPH, 'ERR_VAE_OPTION', 'ERR_VAE_REPRODUCIBILITY', 'ERR_VAE_RUNTIME'],
    parse: async (bytes) => {
      const isState = Buffer.from(bytes.subarray(4, 8)).toString('latin1') === 'ODTC';
      await writeFile(join(at, 'eval_model.onnx'), isState ? graph! : bytes);
      await writeFile(join(at, 'checkpoint'), isState ? bytes : state!);
      await (await TrainingSession.create({ artifacts: at })).close();
    },
  };
}

/** A model to go on training, whose checkpoint is damaged and listed with its new checksum. */
async function checkpoint(folder: string, bytes: Uint8Array, model: string): Promise<FuzzTarget> {
  const at = join(folder, 'damaged-checkpoint');
  await mkdir(join(at, 'training'), { recursive: true });
  const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'));
  for (const name of Object.keys(config.files)) await writeFile(join(at, name), await readFile(join(model, name)));
  return {
    name: 'checkpoint',
    layout: 'binary',
    head: 3000,
    rounds: 400,
    seeds: [bytes],
    errors: [...FORMAT, 'ERR_VAE_REPRODUCIBILITY'],
    parse: async (damaged) => {
      await writeFile(join(at, 'training', 'checkpoint.safetensors'), damaged);
      const sha256 = createHash('sha256').update(damaged).digest('hex');
      config.files['training/checkpoint.safetensors'] = { sha256, byteLength: damaged.length };
      await writeFile(join(at, 'config.json'), JSON.stringify(config));
      const vae = await Vae.load(at);
      try {
        // Models open without the checkpoint; what goes on training reads it.
        await stateOf(vae).recipe('the test');
      } finally {
        await vae.close();
      }
    },
  };
}

/** Two ONNX files of anyone's making: what passes our checks goes through ONNX Runtime. */
async function pair(folder: string, encoder: Uint8Array, decoder: Uint8Array): Promise<FuzzTarget> {
  const at = join(folder, 'pair');
  await mkdir(at);
  await writeFile(join(at, 'decoder.onnx'), decoder);
  const picture = { data: new Float32Array(64).fill(0.5), shape: [1, 1, 8, 8] };
  return {
    name: 'ONNX pair, run',
    layout: 'binary',
    head: 4000,
    rounds: 200,
    seeds: [encoder],
    errors: [...GRAPH, 'ERR_VAE_RUNTIME', 'ERR_VAE_DATA', 'ERR_VAE_OPTION'],
    parse: async (bytes) => {
      await writeFile(join(at, 'encoder.onnx'), bytes);
      const vae = await Vae.load({ encoder: join(at, 'encoder.onnx'), decoder: join(at, 'decoder.onnx') });
      try {
        await vae.encode(picture);
      } finally {
        await vae.close();
      }
    },
  };
}

async function tables(folder: string): Promise<FuzzTarget[]> {
  const csv = `name,height,weight,city\n${Array.from({ length: 6 }, (_, i) => `"n ${i}",${1.5 + i},${60 + i},${'ABC'[i % 3]}`).join('\n')}\n`;
  const lines = Array.from({ length: 6 }, (_, i) => JSON.stringify({ a: i / 3, b: i % 2 ? 'x' : 'y', c: null })).join(
    '\n',
  );
  const target = (name: string, ending: string, text: string): FuzzTarget => ({
    name,
    layout: 'text',
    head: text.length,
    rounds: 1500,
    seeds: [new Uint8Array(Buffer.from(text))],
    errors: ['ERR_VAE_FORMAT', 'ERR_VAE_DATA'],
    parse: async (bytes) => {
      const path = join(folder, `table${ending}`);
      await writeFile(path, bytes);
      const dataset = await readTable(path);
      if (dataset.length < 1) throw new Error('a table without rows');
    },
  });
  return [target('CSV', '.csv', csv), target('JSON lines', '.jsonl', lines)];
}

/** PNG, JPEG, WebP and TIFF as sharp writes them: the readers are libvips', the answers ours. */
async function pictures(folder: string): Promise<FuzzTarget> {
  const raw = { width: 12, height: 10, channels: 3 } as const;
  const pixels = Uint8Array.from({ length: 360 }, (_, i) => (i * 31) % 251);
  const picture = () => sharp(pixels, { raw });
  const path = join(folder, 'picture.png');
  return {
    name: 'pictures',
    layout: 'binary',
    head: 120,
    rounds: 600,
    seeds: await Promise.all([
      picture().png().toBuffer(),
      picture().jpeg().toBuffer(),
      picture().webp().toBuffer(),
      picture().tiff().toBuffer(),
      picture().gif().toBuffer(),
    ]),
    errors: ['ERR_VAE_FORMAT', 'ERR_VAE_DATA'],
    parse: async (bytes) => {
      await writeFile(path, bytes);
      const dataset = await readImages(path, { size: 8 });
      sameLength([dataset.length, ...dataset.rowShape], dataset.length * 64 * dataset.rowShape[0]!);
    },
  };
}

function sound(folder: string): FuzzTarget {
  const path = join(folder, 'sound.wav');
  return {
    name: 'WAV',
    layout: 'binary',
    head: 44,
    rounds: 2000,
    seeds: [wav(1, 8, 40), wav(2, 16, 50), wav(1, 24, 30)],
    errors: FORMAT,
    parse: async (bytes) => {
      await writeFile(path, bytes);
      const file = await WavFile.open(path);
      try {
        const { channels, length } = file.info;
        const count = Math.min(length, 1000);
        sameLength([channels, count], (await file.read(Math.max(0, length - count), count)).length);
      } finally {
        await file.close();
      }
    },
  };
}

/** A file of so many channels, bits and samples, made by hand: what is tested does not make its own input. */
function wav(channels: number, bits: number, samples: number): Uint8Array {
  const width = (channels * bits) / 8;
  const bytes = Buffer.alloc(44 + samples * width, 0x5a);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(8000 * width, 28);
  bytes.writeUInt16LE(width, 32);
  bytes.writeUInt16LE(bits, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples * width, 40);
  return bytes;
}

function film(folder: string): FuzzTarget {
  const path = join(folder, 'film.y4m');
  const frames = (header: string, size: number): Uint8Array =>
    Buffer.concat([Buffer.from(`${header}\n`), ...[1, 2, 3].map((level) => frame(level, size))]);
  const frame = (level: number, size: number): Uint8Array =>
    Buffer.concat([Buffer.from('FRAME\n'), Buffer.alloc(size, 60 * level)]);
  return {
    name: 'y4m',
    layout: 'binary',
    head: 60,
    rounds: 2000,
    seeds: [
      frames('YUV4MPEG2 W8 H6 F25:1 Ip A1:1 C420jpeg', 72),
      frames('YUV4MPEG2 W6 H4 F30:1 C444', 72),
      frames('YUV4MPEG2 W5 H3 F10:1 Cmono', 15),
    ],
    errors: FORMAT,
    parse: async (bytes) => {
      await writeFile(path, bytes);
      const file = await Y4mFile.open(path);
      try {
        const { width, height, grey } = file.info;
        if (file.info.frames > 0)
          sameLength([grey ? 1 : 3, height, width], (await file.read(file.info.frames - 1)).length);
      } finally {
        await file.close();
      }
    },
  };
}

async function archives(folder: string): Promise<FuzzTarget[]> {
  const codec = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
  const chain = await Codec.make([1, 6, 5], randomSpec(2, 6, 5, 1, [4, 2]));
  const items = randomItems(1, 40, 30);
  const embedded = { model: codec, chunkItems: 16, threads: 1, embedModel: true };
  const { archive } = await compress({ data: items, shape: [40, 6, 5] }, embedded);
  const images = join(folder, 'images');
  await mkdir(images);
  for (const name of ['a.png', 'b.png']) {
    const raw = { width: 5, height: 6, channels: 1 } as const;
    await sharp(items.subarray(0, 30), { raw }).png().toFile(join(images, name));
  }
  const named = await compress(images, embedded);
  const chunk = await codec.encode(items.subarray(0, 16 * 30));
  const out = join(folder, 'unpacked');
  return [
    {
      name: 'archive',
      layout: 'binary',
      head: 300,
      rounds: 1500,
      seeds: [archive!, named.archive!],
      errors: [...FORMAT, 'ERR_VAE_REPRODUCIBILITY'],
      parse: async (bytes) => {
        await using opened = await openArchive(bytes);
        await opened.verify();
      },
    },
    {
      name: 'archive, unpacked',
      layout: 'binary',
      head: 300,
      rounds: 300,
      seeds: [archive!, named.archive!],
      errors: [...FORMAT, 'ERR_VAE_REPRODUCIBILITY'],
      parse: async (bytes) => {
        const before = await listing(folder);
        const unpacking = decompress(bytes, { output: out, salvage: bytes.length % 2 === 0 });
        await unpacking.catch(() => {});
        const after = await listing(folder);
        if (after !== before) throw new Error(`wrote outside its folder: ${after}, before: ${before}`);
        await unpacking;
      },
    },
    {
      name: 'archive, taken apart and joined',
      layout: 'binary',
      head: 300,
      rounds: 150,
      seeds: [named.archive!],
      errors: [...FORMAT, 'ERR_VAE_REPRODUCIBILITY', 'ERR_VAE_DATA', 'ERR_VAE_SHAPE'],
      parse: async (bytes) => {
        const parts = join(folder, 'parts');
        await rm(parts, { recursive: true, force: true });
        await mkdir(parts);
        await writeFile(join(parts, 'it.vaez'), bytes);
        await listArchive(bytes);
        const { archives } = await splitArchive(join(parts, 'it.vaez'), { output: parts, count: 1, threads: 1 });
        await mergeArchives(
          archives.map(({ path }) => path),
          { output: join(parts, 'again.vaez'), threads: 1 },
        );
      },
    },
    await archiveOfSounds(folder),
    {
      name: 'coded chunk',
      layout: 'binary',
      head: 64,
      rounds: 2000,
      seeds: [chunk],
      errors: FORMAT,
      parse: (bytes) => codec.decode(bytes, 16),
    },
    {
      name: 'codec model',
      layout: 'binary',
      head: 2500,
      rounds: 1000,
      seeds: [codec.file],
      errors: [...FORMAT, 'ERR_VAE_REPRODUCIBILITY'],
      parse: async (bytes) => (await Codec.fromBytes(bytes, 'x.safetensors')).close(),
    },
    {
      name: 'coded chunk, three levels of latents',
      layout: 'binary',
      head: 64,
      rounds: 1000,
      seeds: [await chain.encode(items.subarray(0, 16 * 30))],
      errors: FORMAT,
      parse: (bytes) => chain.decode(bytes, 16),
    },
    {
      name: 'codec model of three levels',
      layout: 'binary',
      head: 4000,
      rounds: 1000,
      seeds: [chain.file],
      errors: [...FORMAT, 'ERR_VAE_REPRODUCIBILITY'],
      parse: async (bytes) => (await Codec.fromBytes(bytes, 'x.safetensors')).close(),
    },
  ];
}

/** What lies in the folder, but for the one that unpacking may write to. */
async function listing(folder: string): Promise<string> {
  const names = await readdir(folder);
  return names
    .filter((name) => name !== 'unpacked')
    .sort()
    .join();
}

/** The parts of an archive of sounds, with headers that hold: damage reaches what is within. */
async function archiveOfSounds(folder: string): Promise<FuzzTarget> {
  const codec = await Codec.load(SOUND_CODEC);
  const path = join(folder, 'tones.wav');
  const writer = await WavWriter.create(path, { sampleRate: 8000, channels: 2 });
  await writer.write(Float32Array.from({ length: 1600 }, (_, i) => 0.4 * Math.sin(i / 9) + 0.01 * Math.sin(i * i)));
  await writer.close();
  const { archive } = await compress(path, { model: codec });
  const offset = 16 + Buffer.from(archive!).readUInt32LE(12) + 4;
  const record = decodeRecord(archive!.subarray(offset, offset + RECORD_BYTES), 0);
  const start = offset + RECORD_BYTES;
  const whole = archive!.subarray(start, start + record.payloadBytes);
  return {
    name: 'part of a sound',
    layout: 'binary',
    head: record.namesBytes + 20,
    rounds: 500,
    seeds: [whole],
    errors: FORMAT,
    parse: async (bytes) => {
      const payload = { ...record, payloadBytes: bytes.length };
      const found = await decodeSegment(codec, payload, bytes);
      if (!Buffer.from(found.bytes).equals(await readFile(path))) throw new Error('decoded to other bytes');
    },
  };
}
