/** The scatter plot: where points are on the screen, and what the pointer does with them. */
import { PointGrid } from './nearest-point.js';
import { PointsGl } from './points-gl.js';

export interface Painted {
  /** [rows, 2] in the units of the map. */
  readonly points: Float32Array;
  /** Class numbers, or values from 0 to 1; undefined: one colour. */
  readonly values?: Float32Array | undefined;
  readonly categorical: boolean;
  readonly colours: readonly string[];
}

/** [scale, x, y]: a point p of the plot, of −1 to 1 over its height, stands at scale · p + [x, y]. */
export type Camera = readonly [scale: number, x: number, y: number];

/** Asks for what a canvas shows, before its pixels are read. */
export interface ReadCanvas {
  /** SVG elements that show the same. */
  circles?: string;
}

interface PlotEvents {
  over(row: number | undefined): void;
  pick(rows: readonly number[], lasso: boolean): void;
  view(): void;
  /** Corners of the lasso while it is drawn, in pixels. */
  lasso(corners: readonly (readonly [number, number])[] | undefined): void;
}

const MARGIN = 0.94;
const HOME: Camera = [1, 0, 0];
const REACH = 12;
const CLICK = 4;
const MOVE_MS = 600;
const MOST_ZOOM = 2000;

export class Plot {
  readonly #gl: PointsGl;
  readonly #canvas: HTMLCanvasElement;
  readonly #events: PlotEvents;
  readonly #ended = new AbortController();
  #camera: Camera = HOME;
  #middle: readonly [number, number] = [0, 0];
  #scale = 1;
  #points: Float32Array = new Float32Array(0);
  #grid: PointGrid | undefined;
  #rgb: Uint8Array = new Uint8Array(0);
  #colour: Uint8Array = new Uint8Array(0);
  #grow: Float32Array = new Float32Array(0);
  #selected: readonly number[] = [];
  #lasso = false;
  #size = { width: 1, height: 1 };
  #frame = 0;
  #began = Number.NEGATIVE_INFINITY;
  /** Pointers that are down, where they were last. */
  readonly #down = new Map<number, { x: number; y: number; path: [number, number][]; lasso: boolean; far: number }>();

  /** @throws Error where the browser has no WebGL 2. */
  constructor(canvas: HTMLCanvasElement, events: PlotEvents) {
    this.#canvas = canvas;
    this.#events = events;
    this.#gl = new PointsGl(canvas, () => this.#later());
    const { signal } = this.#ended;
    const on = <K extends keyof HTMLElementEventMap>(
      name: K,
      listener: (event: HTMLElementEventMap[K]) => void,
    ): void => canvas.addEventListener(name, listener, { signal, passive: false });
    on('pointerdown', (event) => this.#press(event));
    on('pointermove', (event) => this.#moved(event));
    on('pointerup', (event) => this.#release(event));
    on('pointercancel', (event) => this.#release(event));
    on('pointerleave', () => events.over(undefined));
    on('wheel', (event) => {
      event.preventDefault();
      const { left, top } = canvas.getBoundingClientRect();
      this.#zoom(
        event.clientX - left,
        event.clientY - top,
        Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)),
      );
    });
    on('dblclick', () => events.pick([], true));
    // Whoever reads the pixels does so in the same turn.
    const read = (event: Event): void => {
      this.#draw(performance.now());
      (event as CustomEvent<ReadCanvas>).detail.circles = this.#circles();
    };
    canvas.addEventListener('read', read, { signal });
  }

  get view(): Camera {
    return this.#camera;
  }

  set view(camera: Camera) {
    this.#camera = camera;
    this.#later();
    this.#events.view();
  }

  set lasso(on: boolean) {
    this.#lasso = on;
  }

  reset(): void {
    this.view = HOME;
  }

  /** @param moves whether rows glide to where they are now. @returns when they are drawn. */
  draw({ points, values, categorical, colours }: Painted, moves: boolean): Promise<void> {
    const rows = points.length / 2;
    const glides = moves && rows === this.#points.length / 2;
    if (!glides) this.#fit(points);
    const places = new Float32Array(points.length);
    for (let at = 0; at < points.length; at += 1) places[at] = (points[at]! - this.#middle[at % 2]!) * this.#scale;
    this.#gl.count = 0;
    this.#gl.set('before', glides ? this.#points : places);
    this.#gl.set('place', places);
    this.#points = places;
    this.#grid = new PointGrid(places);
    this.#rgb = inks(rows, values, categorical, colours);
    this.#ink();
    this.#gl.count = rows;
    this.#began = glides ? performance.now() : Number.NEGATIVE_INFINITY;
    this.#later();
    return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve())));
  }

  select(rows: readonly number[]): void {
    this.#selected = rows;
    if (this.#points.length > 0) this.#ink();
    this.#later();
  }

  resize(width: number, height: number): void {
    this.#size = { width: Math.max(1, width), height: Math.max(1, height) };
    this.#canvas.width = Math.round(this.#size.width * devicePixelRatio);
    this.#canvas.height = Math.round(this.#size.height * devicePixelRatio);
    // A canvas of another size is empty.
    this.#draw(performance.now());
    this.#events.view();
  }

  /** Pixels within the canvas of a place on the map. */
  toScreen(x: number, y: number): [number, number] {
    const [scale, left, up] = this.#camera;
    const { width, height } = this.#size;
    const gx = ((x - this.#middle[0]) * this.#scale * scale + left) * (height / width);
    const gy = (y - this.#middle[1]) * this.#scale * scale + up;
    return [((gx + 1) / 2) * width, ((1 - gy) / 2) * height];
  }

  /** The place on the map under a pixel. */
  toPlace(left: number, top: number): [number, number] {
    const [x, y] = this.#plane(left, top);
    return [x / this.#scale + this.#middle[0], y / this.#scale + this.#middle[1]];
  }

  /** Moves the view by parts of its height, and magnifies. */
  move(right: number, up: number, zoom: number): void {
    const [scale, x, y] = this.#camera;
    this.view = [scale * zoom, x * zoom - 2 * right, y * zoom - 2 * up];
  }

  destroy(): void {
    this.#ended.abort();
    cancelAnimationFrame(this.#frame);
    this.#gl.destroy();
  }

  /** Pixels to the plane of the points. */
  #plane(left: number, top: number): [number, number] {
    const [scale, x, y] = this.#camera;
    const { width, height } = this.#size;
    return [(((2 * left) / width - 1) * (width / height) - x) / scale, (1 - (2 * top) / height - y) / scale];
  }

  #rowAt(left: number, top: number): number | undefined {
    const [x, y] = this.#plane(left, top);
    return this.#grid?.nearest(x, y, (2 * REACH) / this.#size.height / this.#camera[0]);
  }

  #zoom(left: number, top: number, by: number): void {
    const [scale, x, y] = this.#camera;
    const next = Math.min(MOST_ZOOM, Math.max(0.05, scale * by));
    const [px, py] = this.#plane(left, top);
    this.view = [next, x + px * (scale - next), y + py * (scale - next)];
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    this.#down.set(event.pointerId, { x, y, path: [[x, y]], lasso: this.#lasso || event.shiftKey, far: 0 });
    this.#events.over(undefined);
  }

  #moved(event: PointerEvent): void {
    const { offsetX: x, offsetY: y } = event;
    const pressed = this.#down.get(event.pointerId);
    if (!pressed) {
      this.#events.over(this.#rowAt(x, y));
      return;
    }
    const [dx, dy] = [x - pressed.x, y - pressed.y];
    pressed.far = Math.max(pressed.far, Math.hypot(x - pressed.path[0]![0], y - pressed.path[0]![1]));
    if (this.#down.size === 2) this.#pinch(event.pointerId, x, y);
    else if (pressed.lasso) {
      pressed.path.push([x, y]);
      this.#events.lasso(pressed.path);
    } else {
      const [scale, left, up] = this.#camera;
      const unit = 2 / this.#size.height;
      this.view = [scale, left + dx * unit, up - dy * unit];
    }
    Object.assign(pressed, { x, y });
  }

  /** Two fingers: their middle stays, their distance magnifies. */
  #pinch(id: number, x: number, y: number): void {
    const pressed = this.#down.get(id)!;
    const other = [...this.#down].find(([key]) => key !== id)![1];
    const before = Math.hypot(pressed.x - other.x, pressed.y - other.y);
    const now = Math.hypot(x - other.x, y - other.y);
    if (before > 0) this.#zoom((x + other.x) / 2, (y + other.y) / 2, now / before);
  }

  #release(event: PointerEvent): void {
    const pressed = this.#down.get(event.pointerId);
    if (!this.#down.delete(event.pointerId) || !pressed) return;
    if (pressed.lasso && pressed.far >= CLICK) {
      this.#events.lasso(undefined);
      const corners = pressed.path.map(([x, y]) => this.#plane(x, y));
      this.#events.pick(this.#grid?.within(corners) ?? [], true);
      return;
    }
    if (pressed.far >= CLICK || event.type === 'pointercancel') return;
    const row = this.#rowAt(event.offsetX, event.offsetY);
    if (row !== undefined) this.#events.pick([row], false);
  }

  /** The points in view as SVG, colour by colour. */
  #circles(): string {
    const { width, height } = this.#size;
    const [scale, left, up] = this.#camera;
    const size = this.#pointSize();
    const groups = new Map<string, string[]>();
    for (let row = 0; row < this.#points.length / 2; row += 1) {
      const x = (((this.#points[2 * row]! * scale + left) * (height / width) + 1) / 2) * width;
      const y = ((1 - (this.#points[2 * row + 1]! * scale + up)) / 2) * height;
      if (x < -size || y < -size || x > width + size || y > height + size) continue;
      const [red, green, blue, alpha] = this.#colour.subarray(4 * row, 4 * row + 4);
      const key = `rgb(${red},${green},${blue})" fill-opacity="${(alpha! / 255).toFixed(2)}`;
      const group = groups.get(key) ?? [];
      groups.set(key, group);
      group.push(
        `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${((size * this.#grow[row]!) / 2).toFixed(1)}"/>`,
      );
    }
    return Array.from(groups, ([key, circles]) => `<g fill="${key}">${circles.join('')}</g>`).join('');
  }

  /** Diameter in pixels: larger in larger windows, and closer by. */
  #pointSize(): number {
    const rows = this.#points.length / 2;
    const base = rows > 50_000 ? 2.5 : rows > 10_000 ? 3.5 : rows > 2000 ? 5 : 8;
    const room = Math.min(3, Math.max(1, this.#size.height / 640));
    return base * room * Math.min(4, Math.max(0.7, 1 + 0.4 * Math.log2(this.#camera[0])));
  }

  #later(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0;
      this.#draw(now);
    });
  }

  #draw(now: number): void {
    const part = Math.min(1, Math.max(0, (now - this.#began) / MOVE_MS));
    const [scale, x, y] = this.#camera;
    const size = this.#pointSize();
    // Slow at both ends (a cubic).
    this.#gl.draw({ scale, x, y, size, moved: part * part * (3 - 2 * part) });
    if (part < 1) this.#later();
  }

  /** Colours and sizes: those that are selected stand out. */
  #ink(): void {
    const rows = this.#points.length / 2;
    const any = this.#selected.length > 0;
    const opacity = rows > 50_000 ? 0.6 : rows > 10_000 ? 0.75 : 0.85;
    const colour = new Uint8Array(4 * rows);
    const grow = new Float32Array(rows).fill(1);
    const quiet = Math.round(255 * opacity * (any ? 0.18 : 1));
    for (let row = 0; row < rows; row += 1) {
      colour.set(this.#rgb.subarray(3 * row, 3 * row + 3), 4 * row);
      colour[4 * row + 3] = quiet;
    }
    for (const row of this.#selected) {
      if (row >= rows) continue;
      colour[4 * row + 3] = 255;
      grow[row] = this.#selected.length < 50 ? 1.8 : 1.2;
    }
    this.#colour = colour;
    this.#grow = grow;
    this.#gl.set('colour', colour);
    this.#gl.set('grow', grow);
  }

  /** All rows but a few far ones fill the plot; the others lie beyond its edge. */
  #fit(points: Float32Array): void {
    const reach = [0, 1].map((axis) => {
      const step = Math.max(1, Math.floor(points.length / 2 / 20_000));
      const values: number[] = [];
      for (let row = 0; row < points.length / 2; row += step) values.push(points[2 * row + axis]!);
      values.sort((a, b) => a - b);
      const cut = values.length > 1000 ? 0.001 : 0;
      return [
        values[Math.floor(cut * (values.length - 1))] ?? -1,
        values[Math.ceil((1 - cut) * (values.length - 1))] ?? 1,
      ] as const;
    });
    const [[left, right], [bottom, top]] = reach as [readonly [number, number], readonly [number, number]];
    this.#middle = [(left + right) / 2, (bottom + top) / 2];
    const { width, height } = this.#canvas.getBoundingClientRect();
    const aspect = width / Math.max(1, height);
    this.#scale = MARGIN * Math.min((2 * aspect) / Math.max(1e-9, right - left), 2 / Math.max(1e-9, top - bottom));
  }
}

/** Red, green and blue of each row. */
function inks(
  rows: number,
  values: Float32Array | undefined,
  categorical: boolean,
  colours: readonly string[],
): Uint8Array {
  const table = colours.map((hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  const out = new Uint8Array(3 * rows);
  for (let row = 0; row < rows; row += 1) {
    const value = values?.[row] ?? 0;
    const index = categorical ? value : Math.round(value * (table.length - 1));
    out.set(table[Math.min(table.length - 1, index)]!, 3 * row);
  }
  return out;
}
