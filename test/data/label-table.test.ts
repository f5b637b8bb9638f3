/** Labels from a table beside pictures, by their paths, in the API and on the command line. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readDataset } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('labels');
const NAMES = ['a/0.png', 'a/1.png', 'b/2.png', 'b/3.png', 'b/4.png', 'b/5.png', 'b/6.png', 'b/7.png'];
/** Other labels than the names of the folders, which pictures have without a table. */
const LABELS = ['cat', 'dog', 'cat', 'dog', 'cat', 'dog', 'cat', 'dog'];
const EXPECTED = { values: Int32Array.of(0, 1, 0, 1, 0, 1, 0, 1), classes: ['cat', 'dog'] };
const pictures = join(folder, 'pictures');

beforeAll(async () => {
  for (const sub of ['a', 'b']) await mkdir(join(pictures, sub), { recursive: true });
  for (const [index, name] of NAMES.entries()) {
    const background = { r: 30 * index, g: 255 - 30 * index, b: 90 };
    await sharp({ create: { width: 8, height: 8, channels: 3, background } }).toFile(join(pictures, name));
  }
});

let written = 0;
async function table(lines: readonly string[], ending = '.csv'): Promise<string> {
  const path = join(folder, `labels${written}${ending}`);
  written += 1;
  await writeFile(path, `${lines.join('\n')}\n`);
  return path;
}

const rowsOf = (nameOf: (name: string) => string, mark = ',') =>
  NAMES.map((name, index) => `${nameOf(name)}${mark}${LABELS[index]}`).reverse();

describe('labels by path, in any order of rows', () => {
  it.each([
    ['paths within the folder', 'path,label', (name: string) => name],
    ['paths with the folder', 'file,class', (name: string) => `pictures/${name}`],
    ['whole paths', 'filename,label', (name: string) => join(pictures, name)],
    ['paths of Windows', 'path,label', (name: string) => `.\\pictures\\${name.replace('/', '\\')}`],
    ['names of files', 'image,target', (name: string) => name.slice(2)],
    ['names without ending', 'id,breed', (name: string) => name.slice(2, 3)],
  ])('%s', async (_, header, nameOf) => {
    const labels = await table([header, ...rowsOf(nameOf)]);
    const data = await readDataset(pictures, { labels });
    expect(data.names).toHaveLength(NAMES.length);
    expect(data.labels).toEqual(EXPECTED);
    expect(data.notes.join('\n')).toContain(`Labels are the column "${header.split(',')[1]}" of ${labels}`);
  });

  it('of a column that is named, in another format, and in an order that is given', async () => {
    const labels = await table(['path\tnote\tanimal', ...rowsOf((name) => `${name}\tseen`, '\t')], '.tsv');
    const options = { labels, table: { label: 'animal' }, classes: ['dog', 'cat'] };
    const data = await readDataset(pictures, options);
    expect(data.labels).toEqual({ values: Int32Array.of(1, 0, 1, 0, 1, 0, 1, 0), classes: ['dog', 'cat'] });
    await expect(readDataset(pictures, { ...options, table: { label: 'animl' } })).rejects.toThrow(
      /no column "animl"; did you mean "animal"/,
    );
    await expect(readDataset(pictures, { ...options, classes: ['dog'] })).rejects.toThrow(
      /"cat".*not one of the classes/,
    );
  });

  it('says which rows have none', async () => {
    const data = await readDataset(pictures, {
      labels: await table(['path,label', ...rowsOf((name) => name).slice(2)]),
    });
    expect(Array.from(data.labels!.values)).toEqual([0, 1, 0, 1, 0, 1, -1, -1]);
    expect(data.notes.join('\n')).toContain('2 of 8 rows have no label');
  });

  it('refuses what fits nothing, and a file with two labels', async () => {
    const other = await table(['path,label', 'x/9.png,cat', 'x/8.png,dog']);
    await expect(readDataset(pictures, { labels: other })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringMatching(/none of its paths is one of the files/),
    });
    const twice = await table(['path,label', ...rowsOf((name) => name), 'a/0.png,dog']);
    await expect(readDataset(pictures, { labels: twice })).rejects.toThrow(/"a\/0\.png" has two labels/);
  });
});

describe('node-vae train --labels', () => {
  const train = (labels: string, ...more: string[]) =>
    runCli(['train', 'pictures', '--labels', labels, '-o', `model${written}`, '--epochs', '1', ...more], {
      cwd: folder,
    });

  it('takes the labels of a table, and tells of it', async () => {
    const { code, stdout, stderr } = await train(await table(['path,label', ...rowsOf((name) => name)]));
    expect(stderr + stdout).toMatch(/Labels are the column "label" of .*by the paths in "path"/s);
    expect(code).toBe(0);
  });

  it('refuses a table in which the labels are not clear, and takes the column that is named', async () => {
    const labels = await table(['path,note,animal', ...rowsOf((name) => `${name},seen`)]);
    const refused = await train(labels);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/not clear which column holds the labels.*--label-column/s);
    const { code, stdout, stderr } = await train(labels, '--label-column', 'animal');
    expect(stderr + stdout).toMatch(/Labels are the column "animal"/);
    expect(code).toBe(0);
  });
});
