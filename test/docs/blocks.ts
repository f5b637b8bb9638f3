/** Finds the code blocks of the documentation and what the comment before each says about it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../support/project.js';

export interface Block {
  /** Such as `docs/guides/serving.md:7`. */
  readonly place: string;
  readonly language: string;
  readonly code: string;
  /** Blocks of one file with one name belong together, in their order. */
  readonly test: string | undefined;
  /** Why the block is not run. */
  readonly notRun: string | undefined;
}

export interface Program {
  readonly name: string;
  /** What a reader has before the first block and the page does not show. */
  readonly before: string;
  readonly blocks: readonly Block[];
}

const COMMENT = /<!-- (test|not run): ([^>]*?)-->\s*$/;
/** A block, or lines of a program that the page leaves out, in a comment. */
const PART = /^```(?<language>\w+)\n(?<code>[\s\S]*?)^```|<!-- given (?<given>[\w-]+):\n(?<hidden>[\s\S]*?)-->/gm;
/** Languages of things that can be run. */
const RUNNABLE = new Set(['js', 'ts', 'sh']);

/** Pages with code by hand; docs/api is generated. */
export async function pages(): Promise<string[]> {
  const docs = await readdir(join(PACKAGE_ROOT, 'docs'), { recursive: true });
  const written = docs.filter((name) => name.endsWith('.md') && !name.startsWith('api'));
  return ['README.md', 'CONTRIBUTING.md', ...written.map((name) => join('docs', name)).sort()];
}

export async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(PACKAGE_ROOT, page), 'utf8');
  return Array.from(text.matchAll(PART), (match) => {
    const { language, code, given, hidden } = match.groups as Record<string, string | undefined>;
    const comment = COMMENT.exec(text.slice(0, match.index));
    return {
      place: `${page}:${text.slice(0, match.index).split('\n').length}`,
      language: language ?? 'js',
      code: code ?? hidden ?? '',
      test: given ?? (comment?.[1] === 'test' ? comment[2]!.trim() : undefined),
      notRun: comment?.[1] === 'not run' ? comment[2]!.trim() : undefined,
    };
  }).filter(({ language }) => RUNNABLE.has(language));
}

export async function programs(): Promise<Program[]> {
  const found: Program[] = [];
  for (const page of await pages()) {
    const text = await readFile(join(PACKAGE_ROOT, page), 'utf8');
    const blocks = await blocksOf(page);
    for (const test of new Set(blocks.map((block) => block.test).filter((name) => name !== undefined))) {
      const before = new RegExp(`<!-- before ${test}:\\n([\\s\\S]*?)-->`).exec(text)?.[1] ?? '';
      found.push({ name: `${page}, ${test}`, before, blocks: blocks.filter((block) => block.test === test) });
    }
  }
  return found;
}
