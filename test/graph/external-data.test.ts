import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { constantOf, GraphBuilder, type Model, numbersOf, readModel, writeModel } from '../../src/graph/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { expectVaeError, expectVaeRejection, floats, graphBytes, waves } from './support.js';

const folder = temporaryFolder('external');

function network(): Model {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', ['N', 64]);
  const large = g.initializer('large', constantOf(Float32Array.from(waves(64 * 32)), 'float32', [64, 32]));
  const small = g.initializer('small', constantOf([0.5]));
  const second = g.initializer('second', constantOf(Float32Array.from(waves(32 * 16, 0.3)), 'float32', [32, 16]));
  g.output('y', g.op('MatMul', [g.op('Mul', [g.op('MatMul', [x, large]), small]), second]));
  return g.model;
}

describe('a model with external data', () => {
  it('is written beside the model, read lazily, and written again from there', async () => {
    const file = path.join(folder, 'model.onnx');
    await writeModel(network(), file, { externalData: true });
    expect(statSync(file).size).toBeLessThan(2000);
    expect(statSync(`${file}.data`).size).toBeGreaterThanOrEqual(4 * (64 * 32 + 32 * 16));

    const model = await readModel(file);
    const large = model.graph.initializers.get('large')!;
    expect(large.data).not.toBeInstanceOf(Uint8Array);
    expect([...numbersOf(large)]).toEqual([...numbersOf(network().graph.initializers.get('large')!)]);
    expect(model.graph.initializers.get('small')!.data).toBeInstanceOf(Uint8Array);

    // The bytes of the tensors come from the file when the model is written again, either way.
    await writeModel(model, path.join(folder, 'again.onnx'), { externalData: true });
    await writeModel(model, path.join(folder, 'whole.onnx'));
    expect(readFileSync(path.join(folder, 'whole.onnx'))).toEqual(Buffer.from(writeModel(network())));
    const x = floats(waves(64), [1, 64]);
    const results = [];
    for (const name of ['model', 'again', 'whole']) {
      const session = await ort.InferenceSession.create(path.join(folder, `${name}.onnx`));
      results.push((await session.run({ x }))['y']!.data);
      await session.release();
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('is read from bytes where the folder is given', async () => {
    const file = path.join(folder, 'bytes.onnx');
    await writeModel(network(), file, { externalData: true });
    const bytes = new Uint8Array(readFileSync(file));
    expectVaeError(() => readModel(bytes), 'ERR_VAE_FORMAT', '"large"', 'bytes.onnx.data', '{ folder }');
    expect(numbersOf(readModel(bytes, { folder }).graph.initializers.get('second')!)).toHaveLength(32 * 16);
  });

  it('notices that the data changed after reading', async () => {
    const file = path.join(folder, 'changed.onnx');
    await writeModel(network(), file, { externalData: true });
    const model = await readModel(file);
    utimesSync(`${file}.data`, 1, 1);
    expectVaeError(() => numbersOf(model.graph.initializers.get('large')!), 'ERR_VAE_IO', 'changed since');
    rmSync(`${file}.data`);
    expectVaeError(() => numbersOf(model.graph.initializers.get('large')!), 'ERR_VAE_IO', 'cannot be read');
  });

  it('leaves the earlier files whole where writing fails', async () => {
    const inside = path.join(folder, 'keep');
    mkdirSync(inside);
    const file = path.join(inside, 'model.onnx');
    await writeModel(network(), file, { externalData: true });
    const before = readFileSync(`${file}.data`);
    const model = await readModel(file);
    // The source of the tensors is gone when they are to be copied.
    const broken = structuredClone(model);
    const large = broken.graph.initializers.get('large')!;
    broken.graph.initializers.set('large', {
      ...large,
      data: { ...(large.data as object), path: path.join(inside, 'gone') } as never,
    });
    await expectVaeRejection(writeModel(broken, file, { externalData: true }), 'ERR_VAE_IO');
    expect(readFileSync(`${file}.data`)).toEqual(before);
  });
});

describe('a reference to external data', () => {
  const reference = (entries: Record<string, string>) =>
    graphBytes({
      name: 'g',
      initializer: [
        {
          name: 'w',
          dataType: 1,
          dims: [4n],
          dataLocation: 1,
          externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
        },
      ],
      node: [{ opType: 'Relu', input: ['w'], output: ['y'] }],
      output: [{ name: 'y' }],
    });

  beforeAll(() => {
    writeFileSync(path.join(folder, 'data.bin'), Buffer.alloc(32, 1));
    mkdirSync(path.join(folder, 'inner', 'folder'), { recursive: true });
    writeFileSync(path.join(folder, 'inner', 'data.bin'), Buffer.alloc(32, 1));
    symlinkSync(path.join(folder, 'data.bin'), path.join(folder, 'inner', 'outside.bin'));
    symlinkSync(folder, path.join(folder, 'inner', 'up'));
    symlinkSync('data.bin', path.join(folder, 'inner', 'link.bin'));
  });

  it.each([
    ['an absolute path', { location: '/etc/passwd' }, 'absolute path'],
    ['a Windows path', { location: 'C:\\data.bin' }, 'absolute path'],
    ['a drive', { location: 'C:data.bin' }, 'absolute path'],
    ['a parent folder', { location: '../data.bin' }, '".."'],
    ['a parent folder in the middle', { location: 'folder/../../data.bin' }, '".."'],
    ['a parent folder in Windows spelling', { location: 'folder\\..\\..\\data.bin' }, '".."'],
    ['a link that leads out', { location: 'outside.bin' }, 'leads out'],
    ['a link to a folder outside', { location: 'up/data.bin' }, 'leads out'],
    ['a folder', { location: 'folder' }, 'not a regular file'],
    ['the folder itself', { location: '.' }, 'leads out'],
    ['a file that is missing', { location: 'nothing.bin' }, 'cannot be opened'],
    ['an empty name', { location: '' }, 'no usable file name'],
    ['a name with a NUL', { location: 'data.bin\0.txt' }, 'no usable file name'],
    ['no name', { offset: '0' }, 'does not say in which file'],
    ['an offset that is negative', { location: 'data.bin', offset: '-4' }, 'external offset'],
    ['an offset that is no number', { location: 'data.bin', offset: '0x10' }, 'external offset'],
    ['an offset behind the end', { location: 'data.bin', offset: '20' }, 'would end at byte 36'],
    ['a huge offset', { location: 'data.bin', offset: '9007199254740993' }, 'offset'],
    ['a length that differs from the type', { location: 'data.bin', length: '12' }, '12 bytes'],
  ])('is refused for %s', (_, entries, text) => {
    expectVaeError(
      () => readModel(reference(entries), { folder: path.join(folder, 'inner') }),
      'ERR_VAE_FORMAT',
      'Tensor "w"',
      text,
    );
  });

  it.each([
    [{ location: 'data.bin' }],
    [{ location: 'link.bin', offset: '16', length: '16' }],
    [{ location: './data.bin', offset: '8' }],
  ])('is followed inside the folder: %o', (entries) => {
    const model = readModel(reference(entries), { folder: path.join(folder, 'inner') });
    expect(numbersOf(model.graph.initializers.get('w')!)).toHaveLength(4);
  });
});
