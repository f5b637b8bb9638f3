/** Small charts as SVG. */

export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  readonly points: readonly (readonly [number, number])[];
}

const WIDTH = 360;
const HEIGHT = 200;
const LEFT = 48;
const BOTTOM = 26;

/** Four or so round numbers between two. */
function ticks(low: number, high: number, most = 4): number[] {
  const raw = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw)!;
  const out: number[] = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step)
    out.push(Number(value.toPrecision(10)));
  return out;
}

const short = (value: number): string => (Math.abs(value) >= 10_000 ? value.toExponential(1) : String(value));

export function Lines({ title, unit, lines, x }: { title: string; unit: string; lines: readonly Line[]; x: string }) {
  const all = lines.flatMap(({ points }) => points.filter(([, y]) => Number.isFinite(y)));
  if (all.length === 0) return null;
  const xs = all.map(([at]) => at);
  const ys = all.map(([, y]) => y);
  const [left, right] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1)];
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const px = (at: number): number => LEFT + ((at - left) / (right - left)) * (WIDTH - LEFT - 8);
  const py = (y: number): number => HEIGHT - BOTTOM - ((y - low) / (high - low || 1)) * (HEIGHT - BOTTOM - 10);
  const last = lines.map(({ name, points }) => `${name} ${points[points.length - 1]?.[1].toFixed(2)}`).join(', ');
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>{' '}
        <span class="muted">
          {unit}
          {x && ` by ${x}`}
        </span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}; last: ${last}`}>
        {ticks(low, high).map((value) => (
          <g key={value}>
            <line class="gridline" x1={LEFT} x2={WIDTH - 8} y1={py(value)} y2={py(value)} />
            <text x={LEFT - 6} y={py(value) + 4} class="end">
              {short(value)}
            </text>
          </g>
        ))}
        {ticks(left, right)
          .filter(Number.isInteger)
          .map((value) => (
            <text key={value} x={px(value)} y={HEIGHT - 8} class="middle">
              {value}
            </text>
          ))}
        {lines.map(({ name, colour, dashed, points }) => (
          <polyline
            key={name}
            points={points
              .filter(([, y]) => Number.isFinite(y))
              .map(([at, y]) => `${px(at).toFixed(1)},${py(y).toFixed(1)}`)
              .join(' ')}
            fill="none"
            stroke={colour}
            stroke-width={2}
            stroke-dasharray={dashed ? '6 4' : undefined}
          />
        ))}
      </svg>
      {lines.length > 1 && (
        <div class="legend">
          {lines.map(({ name, colour, dashed }) => (
            <span key={name} class="key">
              <i class={dashed ? 'dash' : ''} style={{ background: colour }} />
              {name}
            </span>
          ))}
        </div>
      )}
    </figure>
  );
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly quiet?: boolean;
}

export function BarChart({ title, unit, bars }: { title: string; unit: string; bars: readonly Bar[] }) {
  const most = Math.max(1e-9, ...bars.map(({ value }) => value));
  const width = Math.max(1080, 40 + 14 * bars.length);
  const step = (width - LEFT) / bars.length;
  const py = (value: number): number => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - 10);
  return (
    <figure class="chart wide">
      <figcaption>
        <b>{title}</b> <span class="muted">{unit}</span>
      </figcaption>
      <div class="scroll">
        <svg
          viewBox={`0 0 ${width} ${HEIGHT}`}
          style={{ minWidth: `${Math.min(width, 900)}px` }}
          role="img"
          aria-label={`${title}: ${bars
            .slice(0, 12)
            .map(({ name, value }) => `${name} ${value.toFixed(2)}`)
            .join(', ')}`}
        >
          {ticks(0, most).map((value) => (
            <g key={value}>
              <line class="gridline" x1={LEFT} x2={width} y1={py(value)} y2={py(value)} />
              <text x={LEFT - 6} y={py(value) + 4} class="end">
                {short(value)}
              </text>
            </g>
          ))}
          {bars.map(({ name, value, quiet }, index) => (
            <g key={name}>
              <rect
                class={quiet ? 'quiet' : 'strong'}
                x={LEFT + index * step + 1}
                width={Math.max(1, step - 2)}
                y={py(value)}
                height={Math.max(0.8, HEIGHT - BOTTOM - py(value))}
              >
                <title>
                  {name}: {value.toFixed(3)}
                </title>
              </rect>
              {(step > 16 || index % Math.ceil(16 / step) === 0) && (
                <text x={LEFT + (index + 0.5) * step} y={HEIGHT - 10} class="middle small">
                  {name}
                </text>
              )}
            </g>
          ))}
        </svg>
      </div>
    </figure>
  );
}

/** A distribution beside the standard normal one. */
export function BesideNormal({ title, bins, caption }: { title: string; bins: readonly number[]; caption: string }) {
  const reach = 5;
  const width = (2 * reach) / bins.length;
  const density = bins.map((part) => part / width);
  const normal = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  const most = Math.max(0.42, ...density);
  const px = (x: number): number => ((x + reach) / (2 * reach)) * 160;
  const py = (y: number): number => 62 - (y / most) * 58;
  const curve = Array.from({ length: 61 }, (_, index) => -reach + (index * 2 * reach) / 60);
  return (
    <figure class="small-chart">
      <svg viewBox="0 0 160 64" role="img" aria-label={`${title}: ${caption}`}>
        {density.map((value, index) => (
          <rect
            key={index}
            class="strong"
            x={px(-reach + index * width)}
            width={160 / bins.length}
            y={py(value)}
            height={62 - py(value)}
          />
        ))}
        <polyline
          class="normal"
          points={curve.map((x) => `${px(x).toFixed(1)},${py(normal(x)).toFixed(1)}`).join(' ')}
        />
      </svg>
      <figcaption>
        <b>{title}</b> <span class="muted">{caption}</span>
      </figcaption>
    </figure>
  );
}
