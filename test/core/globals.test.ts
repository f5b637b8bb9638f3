/** What the sources take from the global object: nothing that tests of applications replace, or that vm contexts lack. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { expect, it } from 'vitest';
import { onceAborted } from '../../src/core/abort-listeners.js';

const sources = fileURLToPath(new URL('../../src', import.meta.url));

/** Faked by fake timers, or missing in the contexts of jsdom and vm: to be imported from Node, at load. */
const IMPORTED = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'performance',
  'TextEncoder',
  'TextDecoder',
  'ReadableStream',
  'WritableStream',
  'TransformStream',
  'CompressionStream',
  'DecompressionStream',
];
/** The command line is a program of its own; what the explorer's page shares runs in browsers. */
const PROGRAMS = /^cli\/|^entries\/explorer\/frames\.ts$/;

function uncommented(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

it('are imported, where fakes and contexts have others', () => {
  const found: string[] = [];
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || PROGRAMS.test(name) || name.endsWith('onnx_pb.ts')) continue;
    const code = uncommented(readFileSync(join(sources, name), 'utf8'));
    for (const global of IMPORTED) {
      const used = new RegExp(`(?<![.\\w'"])${global}(?:\\(|\\.now|\\.mark|<|;)`).test(code);
      const constructed = new RegExp(`new ${global}\\b`).test(code);
      const imported = new RegExp(`import[^;]*\\b${global}\\b[^;]*from 'node:`).test(code);
      if ((used || constructed) && !imported) found.push(`${name}: ${global}`);
    }
    for (const forbidden of ['queueMicrotask(', 'process.nextTick(', 'structuredClone(', 'instanceof AbortSignal']) {
      if (code.includes(forbidden)) found.push(`${name}: ${forbidden}`);
    }
  }
  expect(found).toEqual([]);
});

it('one signal that many calls share has one listener, and none when they are done', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const controller = new AbortController();
  let adds = 0;
  let removes = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    adds += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    removes += 1;
    remove(...args);
  };
  const told: number[] = [];
  const stops = Array.from({ length: 40 }, (_, index) => onceAborted(signal, () => told.push(index)));
  expect(adds).toBe(1);
  for (const stop of stops.slice(0, 30)) stop();
  stops[0]!();
  expect(removes).toBe(0);
  controller.abort();
  expect(told).toEqual([30, 31, 32, 33, 34, 35, 36, 37, 38, 39]);
  for (const stop of stops) stop();

  const again = new AbortController();
  const first = onceAborted(again.signal, () => told.push(100));
  first();
  onceAborted(again.signal, () => told.push(101));
  again.abort();
  expect(told.at(-1)).toBe(101);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
});

it('the symbols of disposal are those of Node, in a context that has none', () => {
  const code = readFileSync(join(sources, 'core', 'disposal-symbols.ts'), 'utf8');
  const body = code
    .replace(/^import .*$/gm, '')
    .replace(/^type .*$/gm, '')
    .replace(/: (?:object|keyof Symbols|symbol \| undefined|void|\(\) => object)/g, '')
    .replace(/ as unknown as Symbols/g, '')
    .replace(/ as object/g, '');
  const context = vm.createContext({
    Readable: process.getBuiltinModule('node:stream').Readable,
    setImmediate,
    clearImmediate,
  });
  // As Node 20 and 22 make contexts.
  vm.runInContext('delete Symbol.dispose; delete Symbol.asyncDispose;', context);
  const missing = vm.runInContext('Symbol.dispose === undefined', context) as boolean;
  if (!missing) return; // the language itself has them here
  vm.runInContext(body, context);
  expect(vm.runInContext('Symbol.dispose', context)).toBe(Symbol.dispose);
  expect(vm.runInContext('Symbol.asyncDispose', context)).toBe(Symbol.asyncDispose);
});
