/**
 * Symbol.dispose and Symbol.asyncDispose where they are missing. Node 20 and 22 put them on the Symbol of their own
 * global object only, so that the vm contexts in which Jest and vitest (`vmThreads`, `vmForks`) run tests have none;
 * `using`, as TypeScript compiles it, then throws. What is put there is the very symbol that Node's own classes have
 * their methods under, file handles for one. To be imported before any class with such a method is made.
 */
import { Readable } from 'node:stream';
import { clearImmediate, setImmediate } from 'node:timers';

type Symbols = Record<'dispose' | 'asyncDispose', symbol | undefined>;

function nodesOwn(prototype: object, name: keyof Symbols): symbol | undefined {
  return Object.getOwnPropertySymbols(prototype).find(({ description }) =>
    [`Symbol.${name}`, `nodejs.${name}`].includes(String(description)),
  );
}

function provide(name: keyof Symbols, prototypeWithIt: () => object): void {
  if ((Symbol as unknown as Symbols)[name] !== undefined) return;
  const value = nodesOwn(prototypeWithIt(), name) ?? Symbol.for(`nodejs.${name}`);
  Object.defineProperty(Symbol, name, { value });
}

provide('asyncDispose', () => Readable.prototype);
provide('dispose', () => {
  const immediate = setImmediate(() => undefined);
  clearImmediate(immediate);
  return Object.getPrototypeOf(immediate) as object;
});
