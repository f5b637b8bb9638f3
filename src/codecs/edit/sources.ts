/** Archives that others are made from: opened, whole, and not changed meanwhile. */
import { stat } from 'node:fs/promises';
import { refuseIncomplete } from '../../archive/archive.js';
import type { Header } from '../../archive/format.js';
import { openSource } from '../../archive/open-source.js';
import { readLayout } from '../../archive/reader.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import type { ModelInput } from '../by-kind.js';
import { COMPACT_KINDS, kindOf, readAnyHeader } from '../by-kind.js';
import { type AnyCodec, findModel } from '../models/find.js';
import { codecForArchive, NO_MODEL } from '../models/for-archive.js';
import { type OpenedArchive, openAny } from '../open.js';

/** An archive that something is taken from. */
export interface Source extends OpenedArchive {
  readonly path: string;
  /** The file as it was opened. */
  readonly stamp: string;
}

export interface Sources extends AsyncDisposable {
  readonly all: readonly Source[];
  /** What the archives were made with; undefined where none needs a model, or it is not to be opened. */
  readonly codec: AnyCodec | undefined;
  /** @throws VaeError ERR_VAE_IO where one of them is another file than when it was opened. */
  checkUnchanged(): Promise<void>;
}

/**
 * Opens archives that are whole.
 *
 * @param needed whether chunks are decoded; otherwise they are opened without their model, or with it where it is found.
 * @throws VaeError ERR_VAE_FORMAT for one that is damaged or has no end, ERR_VAE_REPRODUCIBILITY where models differ or
 *   theirs cannot be found, ERR_VAE_SHAPE where they hold different things.
 */
export async function openSources(
  paths: readonly string[],
  {
    model,
    needed,
    where,
  }: { readonly model?: ModelInput | undefined; readonly needed: boolean | 'where found'; readonly where: string },
): Promise<Sources> {
  const opened: Source[] = [];
  let codec: { readonly codec: AnyCodec; readonly owned: boolean } | undefined;
  const dispose = async (): Promise<void> => {
    for (const { archive } of opened) await archive.close();
    if (codec?.owned) await codec.codec.close();
  };
  try {
    const headers: Header[] = [];
    for (const path of paths) headers.push(await headerAt(path));
    checkTogether(paths, headers);
    for (const path of paths) {
      codec ??= needed
        ? await codecOf(path, model, where).catch((error: unknown) => {
            if (needed === true || model !== undefined || !isUnknown(error)) throw error;
            return undefined;
          })
        : undefined;
      const stamp = await stampOf(path);
      const found = await openAny(path, { model: codec?.codec ?? NO_MODEL });
      opened.push({ ...found, path, stamp });
      refuseIncomplete(found.layout, found.archive.recordCount, { salvage: false });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    all: opened,
    codec: codec?.codec,
    async checkUnchanged() {
      for (const { path, stamp } of opened) {
        if ((await stampOf(path)) === stamp) continue;
        throw new VaeError('ERR_VAE_IO', `${path} was changed while it was read. Nothing was written; start again.`);
      }
    },
    [Symbol.asyncDispose]: dispose,
  };
}

async function headerAt(path: string): Promise<Header> {
  const source = await openSource(path, COMPACT_KINDS);
  try {
    return (await readLayout(source, readAnyHeader)).header;
  } finally {
    await source.close();
  }
}

/** The model of an archive; undefined for one that names none. */
async function codecOf(
  path: string,
  model: ModelInput | undefined,
  where: string,
): Promise<{ readonly codec: AnyCodec; readonly owned: boolean } | undefined> {
  const source = await openSource(path, COMPACT_KINDS);
  try {
    const layout = await readLayout(source, readAnyHeader);
    const { models } = kindOf(layout.header);
    if (layout.header.model === undefined) return undefined;
    if (model !== undefined) {
      const found = await findModel([models], model, where);
      if (found.codec.identity === layout.header.model) return found;
      if (found.owned) await found.codec.close();
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `${path} was made with the model ${layout.header.model.slice(0, 16)}…, and this is ${found.codec.identity.slice(0, 16)}…. Give the very model it was made with.`,
      );
    }
    return await codecForArchive(models, source, layout, undefined, { where });
  } catch (error) {
    if (!isUnknown(error) || model !== undefined) throw error;
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `${path}: ${error.message} Where chunks need not be decoded, verify: false (--no-verify) copies them without it.`,
      { cause: error },
    );
  } finally {
    await source.close();
  }
}

/** Whether a model could not be found. */
function isUnknown(error: unknown): error is VaeError {
  return error instanceof VaeError && error.code === 'ERR_VAE_REPRODUCIBILITY';
}

/** What headers say beside what may differ: the model, where one archive needs none, and the name of an array. */
function likeness({ model: _, coding: __, name: ___, ...rest }: Header): string {
  return JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function checkTogether(paths: readonly string[], headers: readonly Header[]): void {
  const [first] = headers;
  const withModel = headers.findIndex(({ model }) => model !== undefined);
  for (const [index, header] of headers.entries()) {
    const model = headers[withModel]?.model;
    if (header.model !== undefined && header.model !== model) {
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `${paths[withModel]} was made with the model ${model!.slice(0, 16)}… and ${paths[index]} with ${header.model.slice(0, 16)}…: an archive has one. Unpack them and compress the files with one model.`,
      );
    }
    const like = header.model === undefined || header.coding === headers[withModel]!.coding;
    if (like && likeness(header) === likeness(first!)) continue;
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${paths[0]} holds ${described(first!)} and ${paths[index]} holds ${described(header)}: an archive has one kind of items.`,
    );
  }
}

function described(header: Header): string {
  const shape = header['rowShape'] ?? header['itemShape'];
  return `${kindOf(header).holds} (${header.kind}${Array.isArray(shape) ? ` of ${shape.join('×')}` : ''})`;
}

/** Which file stands under a name, and how it is. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs].join(' ');
  } catch (error) {
    throw ioError(error, `opening ${path}`);
  }
}
