#!/usr/bin/env node
// Packs a codec model's file by Brotli, as the models of this package are kept: writes FILE.br and
// removes FILE. `node scripts/pack-model.mjs models/mnist-codec/codec.safetensors`
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';

for (const path of process.argv.slice(2)) {
  const bytes = readFileSync(path);
  const packed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  writeFileSync(`${path}.br`, packed);
  rmSync(path);
  console.log(`${path}.br: ${packed.length} of ${bytes.length} bytes`);
}
