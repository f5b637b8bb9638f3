#!/usr/bin/env node
// Stands in for node-gyp when prebuildify calls it: whatever the arguments, build the addon.
import { buildNative } from './build-native.mjs';

buildNative({ force: true, quiet: true });
