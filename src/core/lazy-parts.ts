/**
 * Parts of the package that are loaded when first used; for the main entry that the bundler makes (scripts/bundle/
 * lazy-entry.mjs). Functions that give a promise import their part; all else requires it, as Node can require modules.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

type Exports = Readonly<Record<string, unknown>>;

export interface LazyPart {
  /** The part, loaded now where it was not. */
  require(): Exports;
  import(): Promise<Exports>;
  readonly loaded: Exports | undefined;
}

// In a context of node:vm, as test runners have them, require() does not give the modules that import gives.
const hasRequire =
  (process.features as { require_module?: boolean }).require_module === true && readFileSync instanceof Function;

const parts: LazyPart[] = [];

/** Loads everything where parts cannot be loaded later. */
export async function whole(_ifBundled: string): Promise<void> {
  if (!hasRequire) await Promise.all(parts.map((part) => part.import()));
}

/** @param path of the part, from the built entry. */
export function lazyPart(path: string, load: () => Promise<Exports>): LazyPart {
  let loaded: Exports | undefined;
  const importPart = async (): Promise<Exports> => {
    loaded ??= await load();
    return loaded;
  };
  const part: LazyPart = {
    get loaded() {
      return loaded;
    },
    import: importPart,
    require() {
      loaded ??= createRequire(import.meta.url)(path) as Exports;
      return loaded;
    },
  };
  parts.push(part);
  return part;
}

type Constructor = abstract new (...args: never[]) => unknown;

/** A stand-in for a class. Nothing is an instance of what was never loaded. */
export function lazyClass(part: LazyPart, name: string): Constructor {
  const real = (): Constructor => part.require()[name] as Constructor;
  // A bound function can be constructed, and has no property of its own that a stand-in could not answer for.
  // biome-ignore lint/complexity/useArrowFunction: arrow functions cannot be constructed
  const standIn: Constructor = new Proxy(function () {}.bind(undefined) as unknown as Constructor, {
    get(_, key) {
      if (key === 'name') return name;
      if (key === Symbol.hasInstance && part.loaded === undefined) return () => false;
      const target = real();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' && key !== 'prototype' && key !== Symbol.hasInstance
        ? value.bind(target)
        : value;
    },
    has: (_, key) => Reflect.has(real(), key),
    set: (_, key, value) => Reflect.set(real(), key, value),
    construct: (_, args, newTarget) =>
      Reflect.construct(real() as never, args, newTarget === standIn ? (real() as never) : newTarget) as object,
    apply: (_, self, args) => Reflect.apply(real() as never, self, args),
    ownKeys: () => Reflect.ownKeys(real()),
    getPrototypeOf: () => Reflect.getPrototypeOf(real()),
    getOwnPropertyDescriptor(_, key) {
      const found = Reflect.getOwnPropertyDescriptor(real(), key);
      return found && { ...found, configurable: true };
    },
  });
  return standIn;
}

/** A stand-in for an object of functions. */
export function lazyNamespace(part: LazyPart, keys: readonly string[]): Exports {
  const names: Record<string, unknown> = {};
  for (const key of keys) {
    Object.defineProperty(names, key, { enumerable: true, get: () => part.require()[key] });
  }
  return Object.freeze(names);
}
