/** Texts as a kind of archive: what a folder of src/codecs has to have. */
import { checksumOf, encodeNames, makeRecord } from '../../../src/archive/chunk.js';
import type { Unit } from '../../../src/archive/pack.js';
import { digestOf } from '../../../src/archive/verify.js';
import { hexOf, type Stored } from '../../../src/codecs/inputs/plain-files.js';
import { readWhole } from '../../../src/codecs/inputs/read-file.js';
import type { Selection } from '../../../src/codecs/inputs/selection.js';
import type { FilesPlan, Kind } from '../../../src/codecs/kind.js';
import type { TreeFile } from '../../../src/data/file-tree.js';
import { ALPHABETS, type Alphabet } from './alphabet.js';
import { TextArchive } from './text-archive.js';

export const textsKind: Kind = {
  names: ['texts'],
  holds: 'texts',
  opener: 'openTexts()',
  read: (header) => ({ header, itemSize: 0 }),
  open: TextArchive.open,
  compact: [],
  itemsAreFiles: true,
  models: ALPHABETS,
  write: { takes: ['a text'], options: [], files: planTexts },
};

function planTexts(selection: Selection, model: Alphabet): FilesPlan | undefined {
  const { files } = selection;
  const texts = files.filter(({ name }) => name.endsWith('.txt'));
  if (texts.length === 0) return undefined;
  for (const file of files) if (!texts.includes(file)) selection.passOn(file, undefined);
  return {
    header: { model: model.identity, kind: 'texts' },
    meaning: async (bytes) => bytes,
    candidates: texts,
    names: files.map(({ name }) => name),
    units: async (some, stored) => some.map((file) => textUnit(file, model, stored)),
  };
}

function textUnit(file: TreeFile, model: Alphabet, stored: Map<TreeFile, Stored>): Unit {
  return {
    items: 1,
    async prepare(signal) {
      const text = await readWhole(file, signal);
      const names = encodeNames([file.name]);
      stored.set(file, { name: file.name, digests: [hexOf(text)], partBytes: text.length });
      return {
        ...{ kind: 'chunk', items: 1, checksum: checksumOf(text, names), bytes: text.length, content: () => undefined },
        expected: [{ part: { name: file.name, offset: 0, last: true }, digest: digestOf(text) }],
        encode: () =>
          makeRecord({ kind: 'chunk', items: 1, names, checked: [text], candidates: [['coded', model.encode(text)]] }),
      };
    },
  };
}
