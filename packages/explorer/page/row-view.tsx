/** One row of a model's data, whatever its kind. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Display } from './backend.js';
import { cellDifference, cellText } from './cells.js';
import { difference, paint, picture } from './pixels.js';
import { envelope, play, type SoundDisplay, samplesOf, spectralDifference, spectrogram } from './sound.js';

interface RowProps {
  readonly display: Display;
  readonly row: Float32Array;
  /** For screen readers. */
  readonly label: string;
  /** Without buttons, as small as a thumb. */
  readonly small?: boolean;
  /** A row to be compared with: the view is what differs. */
  readonly beside?: Float32Array | undefined;
  /** Values as files hold them, some of which may be missing. */
  readonly encoded?: boolean;
}

export function RowView(props: RowProps) {
  switch (props.display.kind) {
    case 'image':
      return <Picture {...props} />;
    case 'video':
      return <Video {...props} />;
    case 'sound':
      return <Sound {...props} />;
    case 'table':
      return <Cells {...props} />;
    case 'vector':
      return <Bars {...props} />;
  }
}

function Picture({ display, row, label, beside }: RowProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const form = display as Extract<Display, { kind: 'image' }>;
  useEffect(() => {
    if (canvas.current) paint(canvas.current, beside ? difference(beside, row, form) : picture(row, form));
  }, [row, beside, form]);
  return (
    <canvas
      ref={canvas}
      class="pixels"
      style={{ aspectRatio: `${form.width} / ${form.height}` }}
      role="img"
      aria-label={label}
    />
  );
}

/** Frames, one after another; a slider holds one. */
function Video({ display, row, label, beside, small }: RowProps) {
  const form = display as Extract<Display, { kind: 'video' }>;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [frame, setFrame] = useState(0);
  const [plays, setPlays] = useState(!matchMedia('(prefers-reduced-motion: reduce)').matches);
  useEffect(() => {
    if (!plays) return;
    const timer = setInterval(() => setFrame((now) => (now + 1) % form.frames), 1000 / Math.min(30, form.fps));
    return () => clearInterval(timer);
  }, [plays, form]);
  useEffect(() => {
    const at = frameOf(row, form, frame);
    if (canvas.current)
      paint(canvas.current, beside ? difference(frameOf(beside, form, frame), at, form) : picture(at, form));
  }, [row, beside, frame, form]);
  return (
    <div class="video">
      <canvas
        ref={canvas}
        class="pixels"
        style={{ aspectRatio: `${form.width} / ${form.height}` }}
        role="img"
        aria-label={`${label}, frame ${frame + 1} of ${form.frames}`}
      />
      {!small && (
        <div class="player">
          <button type="button" onClick={() => setPlays(!plays)} aria-label={plays ? 'Stop' : 'Play'}>
            {plays ? '❚❚' : '▶'}
          </button>
          <input
            type="range"
            min={0}
            max={form.frames - 1}
            value={frame}
            aria-label="Frame"
            onInput={({ currentTarget }) => {
              setPlays(false);
              setFrame(Number(currentTarget.value));
            }}
          />
        </div>
      )}
    </div>
  );
}

/** [channels, frames, height, width] to [channels, height, width]. */
function frameOf(
  row: Float32Array,
  { channels, frames, height, width }: Extract<Display, { kind: 'video' }>,
  frame: number,
): Float32Array {
  const plane = height * width;
  const out = new Float32Array(channels * plane);
  for (let channel = 0; channel < channels; channel += 1) {
    const from = (channel * frames + frame) * plane;
    out.set(row.subarray(from, from + plane), channel * plane);
  }
  return out;
}

const WAVE_WIDTH = 240;
const WAVE_HEIGHT = 56;

function Sound({ display, row, label, beside, small }: RowProps) {
  const form = display as SoundDisplay;
  const spectrum = useRef<HTMLCanvasElement>(null);
  const [plays, setPlays] = useState(false);
  useEffect(() => {
    if (spectrum.current)
      paint(spectrum.current, beside ? spectralDifference(beside, row, form) : spectrogram(row, form));
  }, [row, beside, form]);
  const seconds = form.frame / form.sampleRate;
  return (
    <div class="sound">
      {!small && !form.mel && (
        <Wave samples={beside ? residual(row, beside, form) : samplesOf(row, form)} label={`${label}: waveform`} />
      )}
      <canvas
        ref={spectrum}
        class="spectrum"
        role="img"
        aria-label={`${label}: spectrogram of ${seconds.toFixed(2)} seconds`}
      />
      {!small && !beside && (
        <div class="player">
          <button
            type="button"
            aria-label={`Play ${label}`}
            aria-pressed={plays}
            onClick={() => {
              setPlays(true);
              void play(row, form, () => setPlays(false));
            }}
          >
            ▶
          </button>
          <span>
            {seconds.toFixed(2)} s, {form.sampleRate.toLocaleString('en-US')} Hz
          </span>
        </div>
      )}
    </div>
  );
}

function residual(a: Float32Array, b: Float32Array, form: SoundDisplay): Float32Array {
  const other = samplesOf(b, form);
  return samplesOf(a, form).map((value, at) => value - other[at]!);
}

function Wave({ samples, label }: { samples: Float32Array; label: string }) {
  const { low, high } = envelope(samples, WAVE_WIDTH);
  const most = Math.max(0.05, ...high, ...low.map((value) => -value));
  const y = (value: number): string => (WAVE_HEIGHT / 2 - (value / most) * (WAVE_HEIGHT / 2 - 1)).toFixed(1);
  const path = Array.from(low, (_, x) => `M${x + 0.5} ${y(high[x]!)}V${Number(y(low[x]!)) + 0.6}`).join('');
  return (
    <svg
      class="wave"
      viewBox={`0 0 ${WAVE_WIDTH} ${WAVE_HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={path} />
    </svg>
  );
}

function Cells({ display, row, label, beside, encoded = false, small }: RowProps) {
  const { columns } = display as Extract<Display, { kind: 'table' }>;
  const shown = small ? columns.slice(0, 4) : columns;
  return (
    <table class="cells" aria-label={label}>
      <tbody>
        {shown.map((column) => {
          const text = cellText(row, column, encoded);
          const before = beside && cellText(beside, column, true);
          const apart = beside ? cellDifference(beside, row, column) : 0;
          return (
            <tr key={column.name} style={beside && { '--apart': apart.toFixed(2) }}>
              <th scope="row">{column.name}</th>
              {beside && <td>{before ?? <i>missing</i>}</td>}
              <td>{text ?? <i>missing</i>}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const BARS = 160;

function Bars({ row, label, beside }: RowProps) {
  const count = Math.min(BARS, row.length);
  const values = Array.from({ length: count }, (_, piece) => row[Math.floor((piece * row.length) / count)]!);
  const others = beside && values.map((_, piece) => beside[Math.floor((piece * row.length) / count)]!);
  const all = others ? [...values, ...others] : values;
  const [low, high] = [Math.min(0, ...all), Math.max(1e-6, ...all)];
  const y = (value: number): number => 60 - ((value - low) / (high - low)) * 58;
  const step = 240 / count;
  return (
    <svg
      class="bars"
      viewBox="0 0 240 62"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${row.length} values from ${low.toPrecision(3)} to ${high.toPrecision(3)}`}
    >
      {values.map((value, at) => (
        <rect
          key={at}
          x={at * step}
          width={Math.max(0.5, step * 0.8)}
          y={Math.min(y(value), y(0))}
          height={Math.max(0.5, Math.abs(y(value) - y(0)))}
        />
      ))}
      {others?.map((value, at) => (
        <rect key={`o${at}`} class="other" x={at * step} width={Math.max(0.5, step * 0.8)} y={y(value)} height={1.5} />
      ))}
    </svg>
  );
}
