/** Sounds without loss as a kind of archive. */
import { VaeError } from '../../core/errors.js';
import type { Selection } from '../inputs/selection.js';
import type { FilesPlan, WritingKind } from '../kind.js';
import type { Codec } from '../lossless/codec.js';
import { CODECS } from '../lossless/models.js';
import { isSound, soundUnits } from './files.js';
import { compactSounds, readSoundHeader, SOUNDS } from './header.js';
import { widthOf } from './segment.js';
import { SoundArchive } from './sound-archive.js';

export const soundsKind: WritingKind<Codec> = {
  names: [SOUNDS],
  holds: 'sounds',
  opener: 'openSounds()',
  read: readSoundHeader,
  open: SoundArchive.open,
  compact: [compactSounds],
  itemsAreFiles: true,
  models: CODECS,
  write: { takes: ['a WAV file'], options: [], files: planSounds },
};

function planSounds(selection: Selection, codec: Codec): FilesPlan | VaeError | undefined {
  const { files } = selection;
  const sounds = files.filter(({ name }) => isSound(name));
  if (sounds.length === 0) return undefined;
  try {
    widthOf(codec, 'compress()');
  } catch (error) {
    if (error instanceof VaeError) return error;
    throw error;
  }
  for (const file of files) if (!isSound(file.name)) selection.passOn(file, undefined);
  return {
    header: { model: codec.identity, kind: SOUNDS },
    meaning: async (bytes) => bytes,
    candidates: sounds,
    names: files.map(({ name }) => name),
    units: (some, stored) => soundUnits(some, selection, codec, stored),
  };
}
