#!/usr/bin/env node
// Stands in for node-gyp when prebuildify calls it: whatever the arguments, builds the addon and puts a
// copy at build/Release under the working folder.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';

const target = join(process.cwd(), 'build', 'Release');
mkdirSync(target, { recursive: true });
copyFileSync(buildNative({ quiet: true }), join(target, 'node-vae.node'));
