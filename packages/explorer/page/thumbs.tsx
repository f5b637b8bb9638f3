/** Rows as small pictures that open when they are pressed. */
import { RowView } from './row-view.js';
import type { Store } from './store.js';
import { useAsked } from './use-asked.js';

interface ThumbsProps {
  readonly store: Store;
  readonly rows: readonly number[];
  title(row: number): string;
  onPick(row: number): void;
}

export function Thumbs({ store, rows, title, onPick }: ThumbsProps) {
  const key = rows.join();
  const answer = useAsked(key, async () =>
    rows.length === 0
      ? undefined
      : { rows, values: (await store.backend.ask('rows', { rows })).arrays['rows'] as Float32Array },
  );
  if (answer === undefined) return <div class="thumbs" aria-busy="true" />;
  const size = answer.values.length / answer.rows.length;
  return (
    <div class={`thumbs of-${store.model.display.kind}`}>
      {answer.rows.map((row, index) => (
        <button
          key={row}
          type="button"
          title={title(row)}
          aria-label={`Open ${title(row)}`}
          onClick={() => onPick(row)}
        >
          <RowView
            display={store.model.display}
            row={answer.values.subarray(index * size, (index + 1) * size)}
            label={title(row)}
            small
            encoded
          />
        </button>
      ))}
    </div>
  );
}
