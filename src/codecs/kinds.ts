/** The kinds of archives in one table: a further codec is a line of it. Where a file could be of several, the first has it. */
import { itemsKind } from './lossless/kind.js';
import { photographsKind } from './photographs/kind.js';
import { picturesKind } from './pictures/kind.js';
import { soundsKind } from './sound/kind.js';

export const KINDS = {
  sounds: soundsKind,
  items: itemsKind,
  pictures: picturesKind,
  photographs: photographsKind,
};
