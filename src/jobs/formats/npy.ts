/** .npy: an array for each column, and the notes of the rows as JSON lines beside them. */
import { writeNpyHeader } from '../../data/npy/header.js';
import { bytesOf, type ContentColumn, type Format, labelOf, type NewFile, type ShardContent } from './format.js';

export const npyFormat: Format = {
  ending: '.npy',
  files(stem, content) {
    const [main, ...others] = content.columns;
    const files: NewFile[] = [{ name: `${stem}.items.jsonl`, chunks: notesOf(content) }];
    for (const column of others)
      files.push({ name: `${stem}.${column.name}.npy`, chunks: npyOf(column, content.rows) });
    if (main !== undefined) files.push({ name: `${stem}.npy`, chunks: npyOf(main, content.rows) });
    return files;
  },
};

/** The bytes of a .npy file of float32. */
async function* npyOf(column: ContentColumn, rows: number): AsyncGenerator<Uint8Array> {
  yield writeNpyHeader({ descr: '<f4', fortranOrder: false, shape: [rows, ...column.dims] });
  yield* bytesOf(column, rows);
}

async function* notesOf(content: ShardContent): AsyncGenerator<Uint8Array> {
  let text = '';
  for await (const notes of content.notes()) {
    for (const note of notes) {
      text += `${JSON.stringify({
        name: note.name,
        ...(content.parts && { part: note.part ?? 0 }),
        ...(content.labels && { label: labelOf(note, content.labels) }),
        ...(content.captions && { caption: note.caption ?? null }),
      })}\n`;
    }
    if (text.length < 1 << 20) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}
