import { ParameterStore } from '../architectures/parameters.js';
import { loadAddon } from '../binding/index.js';
import { STREAMS } from '../binding/streams.js';
import type { ParameterSpec } from '../nn/scope.js';

/** Draws the first values of every parameter; the same seed gives the same values. */
export function initializeParameters(specs: readonly ParameterSpec[], seed: bigint): ParameterStore {
  const { random } = loadAddon();
  const store = new ParameterStore(specs);
  specs.forEach((spec, index) => {
    const view = store.view(spec);
    const { initializer } = spec;
    switch (initializer.kind) {
      case 'constant':
        view.fill(initializer.value);
        break;
      case 'uniform':
        random.fillUniform(view, seed, STREAMS.initialWeights, BigInt(index));
        for (let i = 0; i < view.length; i += 1) view[i] = (2 * view[i]! - 1) * initializer.bound;
        break;
      case 'normal':
        random.fillNormal(view, seed, STREAMS.initialWeights, BigInt(index));
        for (let i = 0; i < view.length; i += 1) view[i] = view[i]! * initializer.std + (initializer.mean ?? 0);
        break;
      case 'copy': {
        const { of } = initializer;
        view.set(store.view(specs.find(({ name }) => name === of)!));
        break;
      }
    }
  });
  return store;
}
