/** Items as a plan names them: small, as JSON, without their content. */
import { VaeError } from '../../core/errors.js';

export type Label = string | number;

/** What is known of an item beside its content. */
export interface ItemNotes {
  readonly label?: Label | undefined;
  readonly caption?: string | undefined;
}

interface InFile extends ItemNotes {
  readonly path: string;
  readonly size: number;
  /** See FoundInput. */
  readonly state: string;
  /** What the item is called in the output. */
  readonly name: string;
}

/** A file of its own. */
export interface FileItem extends InFile {
  readonly kind: 'file';
}

/** Rows of a file of arrays or a table. */
export interface RowsItem extends InFile {
  readonly kind: 'rows';
  readonly from: number;
  readonly to: number;
  /** A row before, and where it begins, for files in which rows have to be looked for. */
  readonly mark?: Mark | undefined;
}

export interface Mark {
  readonly row: number;
  readonly at: number;
}

/** Files of a .tar with one name and different endings, as WebDataset has them. */
export interface SampleItem extends InFile {
  readonly kind: 'sample';
  /** Ending, without its dot, to where the file begins in the archive and how long it is. */
  readonly members: Readonly<Record<string, readonly [offset: number, length: number]>>;
}

export type PlanItem = FileItem | RowsItem | SampleItem;

/** Items that a line of the plan stands for. */
export function countOf(item: PlanItem): number {
  return item.kind === 'rows' ? item.to - item.from : 1;
}

export function toLine(item: PlanItem): string {
  return `${JSON.stringify(item)}\n`;
}

/** @throws VaeError ERR_VAE_FORMAT for what no plan has: folders of jobs are not trusted. */
export function fromLine(line: string, where: string): PlanItem {
  let value: Record<keyof RowsItem | keyof SampleItem, unknown>;
  try {
    value = JSON.parse(line);
  } catch {
    throw damaged(where);
  }
  const { path, size, state, name, label, caption } = value;
  const known =
    typeof path === 'string' &&
    typeof name === 'string' &&
    typeof state === 'string' &&
    isCount(size) &&
    (label === undefined || typeof label === 'string' || typeof label === 'number') &&
    (caption === undefined || typeof caption === 'string');
  if (!known) throw damaged(where);
  const { kind, from, to, members } = value;
  const found = value as unknown;
  if (kind === 'file') return found as FileItem;
  if (kind === 'rows' && isCount(from) && isCount(to) && from < to) return found as RowsItem;
  if (kind === 'sample' && typeof members === 'object' && Object.values(members ?? {}).every(isRange)) {
    return found as SampleItem;
  }
  throw damaged(where);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isCount);
}

function damaged(where: string): VaeError {
  return new VaeError(
    'ERR_VAE_FORMAT',
    `${where}: damaged: a line is no item of a plan. Plan the job again (--force).`,
  );
}
