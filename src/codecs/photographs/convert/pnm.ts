import type { Beside } from './beside.js';
import { textChunk } from './rows.js';

const BYTES: Readonly<Record<number, number>> = { 5: 1, 6: 3 };

/** @throws Error for what a PNG could not carry. */
export function pnmBeside(bytes: Buffer): Beside {
  const head = bytes.toString('latin1', 0, 4096);
  const kind = Number(head[1]);
  if (kind === 7) throw new Error('it is a PAM file');
  const mark = /(?:\s|#([^\n\r]*)[\n\r])+?(\d+)/y;
  mark.lastIndex = 2;
  const numbers: number[] = [];
  while (numbers.length < (kind === 1 || kind === 4 ? 2 : 3)) {
    const found = mark.exec(head);
    if (!found) throw new Error('its header is not whole');
    numbers.push(Number(found[2]));
  }
  const [width = 0, height = 0, most = 1] = numbers;
  const bitmap = kind === 1 || kind === 4;
  if (!bitmap && most !== 255 && most !== 65535) throw new Error(`its values go up to ${most}`);
  const start = mark.lastIndex + 1;
  const rowBytes = kind === 4 ? Math.ceil(width / 8) : width * (BYTES[kind] ?? 0) * (most > 255 ? 2 : 1);
  if (kind >= 4 && start + rowBytes * height !== bytes.length) throw new Error('it has other bytes than its pixels');
  const comments = [...head.slice(0, start).matchAll(/#([^\n\r]*)/g)].map((found) => found[1]!.trim());
  const chunks = comments.length === 0 ? [] : [textChunk('Comment', comments.join('\n'))];
  return { chunks, ...(bitmap && { depth: 1 }) };
}
