// The rules that scripts/lint/imports.mjs holds the sources to. docs/architecture.md says what each folder is for.

/** Folders of src (and the file at its root) from top to bottom: each imports from those below it only. */
export const FOLDERS = [
  'cli',
  'index.ts',
  'entries',
  'jobs',
  'vae',
  'report',
  'codecs',
  'training',
  'latent',
  'inference',
  'data',
  'artifacts',
  'architectures',
  'nn',
  'grad',
  'graph',
  'binding',
  'archive',
  'core',
];

/** Packages that few may import, and where. */
export const PACKAGES = [
  { name: 'sharp', folders: ['src/data/image/', 'src/report/'] },
  { name: 'fastify', folders: ['src/entries/'] },
  { name: 'onnxruntime-node', folders: ['src/binding/'] },
  { name: 'commander', folders: ['src/cli/'] },
  { name: 'cli-progress', folders: ['src/cli/'] },
];

/** Folders of native and those that they may include from. Headers of others are named by what they begin with. */
export const NATIVE = {
  core: ['core'],
  random: ['core', 'random'],
  coder: ['core', 'coder'],
  pictures: ['core', 'pictures'],
  kernels: ['core', 'kernels'],
  ops: ['core', 'kernels', 'ops', 'ort', 'onnxruntime'],
  ort: ['core', 'ort', 'onnxruntime'],
  inference: ['core', 'inference', 'kernels', 'ort', 'onnxruntime'],
  training: ['core', 'kernels', 'ops', 'ort', 'random', 'training', 'onnxruntime'],
  binding: [
    'binding',
    'coder',
    'core',
    'inference',
    'kernels',
    'ops',
    'ort',
    'pictures',
    'random',
    'training',
    'napi',
    'onnxruntime',
  ],
};

/**
 * What breaks a rule today. The list only shrinks: an entry that no longer breaks one fails the lint too, and
 * nothing is added.
 */
export const EXCEPTIONS = [];
