/** How the numbers of a whole file are written: its decimal mark and the mark between thousands. */
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { firstRowOf } from './cells.js';
import type { ColumnTable, NumberMarks } from './columns.js';
import { type Evidence, evidenceOf } from './notation.js';

export interface GivenMarks {
  readonly decimal?: '.' | ',' | undefined;
  readonly thousands?: string | undefined;
}

/** Texts of a column that are looked at. */
const MOST_TEXTS = 5000;

interface Found {
  readonly text: string;
  readonly name: string;
  readonly place: string;
}

/**
 * The marks of a file that was read with `table.marks`; where they differ from those, it has to be read again.
 *
 * @param given what the caller says; what it leaves open is found.
 * @param usual of the data the model was trained on, where the file itself does not say.
 * @throws VaeError ERR_VAE_DATA, showing cells, where it stays unclear.
 */
export function marksOf(
  table: ColumnTable,
  given: GivenMarks,
  usual: NumberMarks | undefined,
  where: string,
): { readonly marks: NumberMarks; readonly note: string | undefined } {
  const found = new Map<Evidence, Found[]>();
  let plainDecimals = false;
  for (const [index, column] of table.columns.entries()) {
    if (column.mode !== 'values') continue;
    // Three decimals could be thousands.
    if (column.decimals > 0 && column.decimals !== 3 && table.marks.decimal === '.') plainDecimals = true;
    for (const [code, text] of column.pool.texts().slice(0, MOST_TEXTS).entries()) {
      const evidence = evidenceOf(text);
      if (evidence === undefined) continue;
      const list = found.get(evidence) ?? [];
      if (list.length === 0) found.set(evidence, list);
      if (list.length < 3) {
        list.push({ text, name: table.names[index]!, place: table.place(firstRowOf(column, code)) });
      }
    }
  }
  const has = (...kinds: Evidence[]): boolean => kinds.some((kind) => found.has(kind));
  const refuse = (problem: string, ...kinds: Evidence[]): never => {
    const cells = kinds.flatMap((kind) => found.get(kind) ?? []).slice(0, 3);
    const shown = cells
      .map(({ text, name, place }) => `${describeValue(text)} (${place}, column "${name}")`)
      .join(', ');
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: ${problem}: ${shown}. Say how its numbers are written: decimal "," or "." (--decimal), thousands "," "." or " " (--thousands).`,
    );
  };
  const quiet = (marks: NumberMarks) => ({ marks, note: undefined });
  if (given.decimal !== undefined || given.thousands !== undefined) {
    const { thousands = '' } = given;
    return quiet({ decimal: given.decimal ?? (thousands === '.' ? ',' : '.'), thousands });
  }
  // Read so because of what was found before: the marks between thousands may show only now.
  const comma = table.marks.decimal === ',' || has('decimal-comma', 'dot-thousands');
  const english = plainDecimals || has('comma-thousands');
  if (comma && english && table.marks.decimal === '.') {
    refuse(
      'it holds numbers with decimal commas and others with decimal points',
      ...(['decimal-comma', 'dot-thousands', 'comma-thousands'] as const),
    );
  }
  const spaced = has('quote') ? "'" : has('space') ? ' ' : undefined;
  if (comma) {
    const thousands = spaced ?? (has('dot-thousands', 'dot-unclear') ? '.' : '');
    return told({ decimal: ',', thousands }, found);
  }
  if (has('comma-thousands')) return told({ decimal: '.', thousands: ',' }, found);
  if (has('comma-unclear')) {
    if (plainDecimals || table.delimiter === ',') return told({ decimal: '.', thousands: ',' }, found);
    if (usual !== undefined) return quiet(usual);
    refuse('a comma stands for decimals or for thousands', 'comma-unclear');
  }
  if (spaced !== undefined) return told({ decimal: '.', thousands: spaced }, found);
  if (usual !== undefined && !plainDecimals) return quiet(usual);
  return quiet({ decimal: '.', thousands: '' });
}

function told(
  marks: NumberMarks,
  found: ReadonlyMap<Evidence, readonly Found[]>,
): { marks: NumberMarks; note: string } {
  const text = [...found.values()][0]?.[0]?.text;
  const { decimal, thousands } = marks;
  const grouped = thousands === '' ? '' : `, thousands with "${thousands}"`;
  return {
    marks,
    note: `Numbers are written with a decimal "${decimal}"${grouped}${text === undefined ? '' : `, as in ${describeValue(text)}`} (--decimal, --thousands).`,
  };
}
