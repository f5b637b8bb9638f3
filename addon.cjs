'use strict';
// Where the files beside the JavaScript lie. Here and not in dist, and in CommonJS, because tracers (@vercel/nft, so
// Next.js and Vercel) read such expressions as they stand and take the files along; and found by the package's name
// ('node-vae/addon.cjs'), so that code which a bundler has moved elsewhere finds them too. Inside use.
const { existsSync } = require('node:fs');
const path = require('node:path');

/** The native addon: of a checkout that was built, else the prebuilt one of this platform. */
exports.loadAddon = () => {
  // NODE_VAE_PREBUILD names another folder with build/Release in it: for the sanitizers' builds.
  const built = [process.env.NODE_VAE_PREBUILD || __dirname, 'build', 'Release', 'node-vae.node'].join(path.sep);
  if (exists(built)) return require(built);
  return require(`./prebuilds/${process.platform}-${process.arch}/node-vae.node`);
};

/** package.json of onnxruntime-node, whose library lies beside it; its code is not run. */
exports.findRuntime = () => require.resolve('onnxruntime-node/package.json');

/** Never called: tracers take a package's libraries along where they see its entry. */
exports.entryOfRuntime = () => require.resolve('onnxruntime-node');

/** Libraries that are loaded when first used (scripts/bundle/vendors.mjs). */
exports.loadZod = () => require('./dist/vendor/zod.cjs');
exports.loadProtobuf = () => require('./dist/vendor/protobuf.cjs');

/** Folders of the models that come with the package. */
exports.models = path.join(__dirname, 'models');

/** Likewise, and those of node-vae-models where that is installed. */
exports.modelFolders = () => {
  try {
    return [exports.models, path.join(path.dirname(require.resolve('node-vae-models/package.json')), 'models')];
  } catch {
    return [exports.models];
  }
};

/** The package's folder. */
exports.root = __dirname;

function exists(file) {
  try {
    return existsSync(file);
  } catch {
    return false; // Node's permission model does not let us look
  }
}
