/** JSON lines: an object for each row, lists of numbers within. */
import { type Format, labelOf, pieces, type ShardContent, shortest } from './format.js';

/** Text that is held at once. */
const TEXT = 1 << 20;

export const jsonLinesFormat: Format = {
  ending: '.jsonl',
  files: (stem, content) => [{ name: `${stem}.jsonl`, chunks: lines(content) }],
};

async function* lines(content: ShardContent): AsyncGenerator<Uint8Array> {
  let text = '';
  for await (const { columns, notes } of pieces(content)) {
    for (const [row, note] of notes.entries()) {
      text += `{"name":${JSON.stringify(note.name)}`;
      if (content.parts) text += `,"part":${note.part ?? 0}`;
      if (content.labels) text += `,"label":${JSON.stringify(labelOf(note, content.labels))}`;
      if (content.captions) text += `,"caption":${JSON.stringify(note.caption ?? null)}`;
      for (const [at, { name, dims }] of content.columns.entries()) {
        text += `,${JSON.stringify(name)}:${nested(columns[at]!, row, dims)}`;
      }
      text += '}\n';
      if (text.length < TEXT) continue;
      yield Buffer.from(text);
      text = '';
    }
  }
  if (text !== '') yield Buffer.from(text);
}

function nested(data: Float32Array, row: number, dims: readonly number[]): string {
  const size = dims.reduce((product, dim) => product * dim, 1);
  const list = (at: number, axis: number, length: number): string => {
    if (axis === dims.length) return shortest(data[at]!);
    const inner = length / dims[axis]!;
    return `[${Array.from({ length: dims[axis]! }, (_, index) => list(at + index * inner, axis + 1, inner)).join(',')}]`;
  };
  return list(row * size, 0, size);
}
