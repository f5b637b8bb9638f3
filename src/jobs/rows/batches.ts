/** Pieces put together to batches of about one size, at the borders of items: the same batches whoever makes them. */
import type { Piece } from './piece.js';
import { joined } from './read-pieces.js';

export async function* batchesOf(pieces: AsyncIterable<Piece>, rows: number): AsyncGenerator<Piece> {
  let held: Piece[] = [];
  let count = 0;
  for await (const piece of pieces) {
    held.push(piece);
    count += piece.notes.length;
    // Items that cannot be read are told now and then, too.
    if (count < rows && held.length < 4 * rows) continue;
    yield joined(held);
    held = [];
    count = 0;
  }
  if (held.length > 0) yield joined(held);
}
