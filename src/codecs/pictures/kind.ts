/** Pictures with loss as a kind of archive. compressPictures() writes it: it asks for a quality. */
import type { Kind } from '../kind.js';
import { PICTURES, readPictureArchiveHeader } from './header.js';
import type { LossyCodec } from './lossy-codec.js';
import { LOSSY_CODECS } from './models.js';
import { PictureArchive } from './picture-archive.js';

export const picturesKind: Kind<LossyCodec> = {
  names: [PICTURES],
  holds: 'pictures compressed with loss',
  opener: 'openPictures()',
  read: readPictureArchiveHeader,
  open: PictureArchive.open,
  compact: [],
  itemsAreFiles: false,
  models: LOSSY_CODECS,
};
