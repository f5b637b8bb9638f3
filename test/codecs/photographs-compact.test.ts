/** Small archives of pictures: the compact forms, as every reader takes them, and damaged in every way. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { brotliCompressSync, crc32, constants as zlib } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import {
  catArchive,
  compress,
  decompress,
  inspectArchive,
  listArchive,
  mergeArchives,
  openArchive,
  type PhotographArchive,
  removeFromArchive,
  splitArchive,
} from '../../src/codecs/index.js';
