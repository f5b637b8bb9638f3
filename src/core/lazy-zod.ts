/**
 * zod as the built package has it: schemas are written down when a module is loaded, and made when first used. Making
 * them all takes longer than everything else that `import 'node-vae'` does, and most programs use few. The bundler
 * (scripts/bundle) puts this in the place of `zod`; the sources name `zod` itself.
 */
import { createRequire } from 'node:module';
import type * as zod from 'zod';

type Zod = typeof zod;

let library: Zod | undefined;

/** The library itself, loaded in one piece: the bundler puts a file of the package in the place of this name. */
function load(): Zod {
  library ??= createRequire(import.meta.url)('zod') as Zod;
  return library;
}

/** Functions of zod that make a schema. Whatever is not listed is looked up in the library at once. */
const MAKERS = new Set(
  (
    'any array bigint boolean custom discriminatedUnion enum instanceof int intersection lazy literal looseObject never ' +
    'null nullable number object optional preprocess record strictObject string tuple undefined union unknown'
  ).split(' '),
);

/** Methods that make a schema of a schema. Likewise. */
const CHAINS = new Set(
  (
    'and array brand catch catchall check default describe endsWith extend finite gt gte int length lt lte max meta min ' +
    'multipleOf negative nonempty nonnegative nonpositive nullable nullish omit optional or overwrite partial pick pipe ' +
    'positive prefault readonly refine regex required safeExtend size startsWith strict superRefine transform trim unwrap'
  ).split(' '),
);

/** What each stand-in stands for. */
const madeBy = new WeakMap<object, () => object>();

/** A stand-in for the schema that `make` makes: made when anything but a further schema is wanted of it. */
function later(make: () => object): object {
  let made: object | undefined;
  const schema = (): object => {
    made ??= make();
    return made;
  };
  const standIn = new Proxy(
    {},
    {
      get(_, name) {
        if (made === undefined && typeof name === 'string' && CHAINS.has(name)) {
          return (...args: unknown[]) => later(() => call(schema(), name, args));
        }
        const target = schema();
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
      has: (_, name) => Reflect.has(schema(), name),
      set: (_, name, value) => Reflect.set(schema(), name, value),
      getPrototypeOf: () => Reflect.getPrototypeOf(schema()),
    },
  );
  madeBy.set(standIn, schema);
  return standIn;
}

function call(owner: object, name: string, args: readonly unknown[]): object {
  const method = Reflect.get(owner, name) as (...given: unknown[]) => object;
  return method.apply(owner, args.map(settled));
}

/** Schemas themselves for stand-ins, in arrays and plain objects too: shapes, options of a union. */
function settled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const schema = madeBy.get(value);
  if (schema !== undefined) return schema();
  if (Array.isArray(value)) return value.map(settled);
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, settled(entry)]));
}

export const z = new Proxy({} as Zod, {
  get(_, name) {
    if (typeof name === 'string' && MAKERS.has(name)) {
      return (...args: unknown[]) => later(() => call(load(), name, args));
    }
    return Reflect.get(load(), name);
  },
});
