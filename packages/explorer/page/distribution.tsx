/** Where a score lies among those of all rows, with the threshold above which rows count as strange. */
import { useMemo } from 'preact/hooks';
import type { Store } from './store.js';

const BINS = 48;
const HEIGHT = 44;

export function Distribution({ store, score }: { store: Store; score: number }) {
  const { map } = store;
  const { threshold } = store.model;
  const found = useMemo(() => {
    if (!map?.kl || !map.reconstruction) return undefined;
    const sorted = map.kl.map((value, row) => value + map.reconstruction![row]!).sort();
    const low = sorted[0]!;
    const high = sorted[Math.ceil(0.999 * (sorted.length - 1))]!;
    const bins = new Array<number>(BINS).fill(0);
    for (const value of sorted) {
      const bin = Math.floor(((value - low) / (high - low || 1)) * BINS);
      if (bin >= 0 && bin < BINS) bins[bin]! += 1;
    }
    return { sorted, low, high, bins, most: Math.max(...bins) };
  }, [map?.kl]);
  if (!found) return null;
  const { sorted, low, high, bins, most } = found;
  const place = (value: number): number => 200 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  const below = sorted.filter((value) => value < score).length / sorted.length;
  const strange = threshold !== undefined && score > threshold.value;
  return (
    <figure class="distribution">
      <svg
        viewBox={`0 0 200 ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Score ${score.toFixed(1)} nats, higher than ${(100 * below).toFixed(1)} % of the rows`}
      >
        {bins.map((value, index) => (
          <rect
            key={index}
            class="bin"
            x={(200 * index) / BINS}
            width={200 / BINS - 0.5}
            y={HEIGHT - (HEIGHT * value) / most}
            height={(HEIGHT * value) / most}
          />
        ))}
        {threshold && (
          <line class="threshold" x1={place(threshold.value)} x2={place(threshold.value)} y1={0} y2={HEIGHT} />
        )}
        <line class={strange ? 'here strange' : 'here'} x1={place(score)} x2={place(score)} y1={0} y2={HEIGHT} />
      </svg>
      <figcaption>
        <span class={strange ? 'strange' : ''}>
          {strange ? '▲ Stranger' : 'Stranger'} than {(100 * below).toFixed(1)} % of the rows
        </span>
        {threshold && (
          <span class="muted">
            {' '}
            · threshold {threshold.value.toFixed(1)} (of {Math.round(100 * threshold.quantile)} %)
          </span>
        )}
      </figcaption>
    </figure>
  );
}
