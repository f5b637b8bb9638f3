/** The scatter plot: points by WebGL, and where they are on the screen. */
import createScatterplot from 'regl-scatterplot';

export interface Painted {
  /** [rows, 2] in the units of the map. */
  readonly points: Float32Array;
  /** Class numbers, or values from 0 to 1; undefined: one colour. */
  readonly values?: Float32Array | undefined;
  readonly categorical: boolean;
  readonly colours: readonly string[];
}

interface PlotEvents {
  over(row: number | undefined): void;
  pick(rows: readonly number[], lasso: boolean): void;
  view(): void;
}

const MARGIN = 0.94;

export class Plot {
  readonly #plot: ReturnType<typeof createScatterplot>;
  readonly #canvas: HTMLCanvasElement;
  readonly #events: PlotEvents;
  #middle: readonly [number, number] = [0, 0];
  #scale = 1;
  #rows = 0;
  #lasso = false;
  #drawn: Promise<unknown> = Promise.resolve();

  constructor(canvas: HTMLCanvasElement, events: PlotEvents) {
    this.#canvas = canvas;
    this.#events = events;
    const { width, height } = canvas.getBoundingClientRect();
    this.#plot = createScatterplot({
      canvas,
      width: Math.max(1, width),
      height: Math.max(1, height),
      backgroundColor: [0, 0, 0, 0],
      pointColorHover: '#888888',
      pointColorActive: '#888888',
      pointOutlineWidth: 2,
      pointSizeSelected: 3,
      opacityInactiveMax: 0.25,
      opacityInactiveScale: 0.5,
      lassoColor: '#3f90da',
      lassoOnLongPress: false,
      deselectOnDblClick: true,
      actionKeyMap: { lasso: 'shift' } as never,
      pointScaleMode: 'asinh',
    } as never);
    this.#plot.subscribe('pointOver', (row) => events.over(row as number));
    this.#plot.subscribe('pointOut', () => events.over(undefined));
    this.#plot.subscribe('lassoStart', () => {
      this.#lasso = true;
    });
    this.#plot.subscribe('select', (found) => {
      const { points } = found as unknown as { points: number[] };
      events.pick([...points], this.#lasso);
      this.#lasso = false;
    });
    this.#plot.subscribe('deselect', () => events.pick([], false));
    this.#plot.subscribe('view', () => events.view());
  }

  get view(): Float32Array {
    return Float32Array.from(this.#plot.get('cameraView') as ArrayLike<number>);
  }

  set view(view: ArrayLike<number>) {
    this.#plot.set({ cameraView: Float32Array.from(view) } as never);
    // The library tells of its own moves only.
    this.#events.view();
  }

  set lasso(on: boolean) {
    this.#plot.set({ mouseMode: on ? 'lasso' : 'panZoom' } as never);
  }

  reset(): void {
    this.#plot.reset();
  }

  /** @param moves whether rows glide to where they are now. */
  draw({ points, values, categorical, colours }: Painted, moves: boolean): Promise<void> {
    const rows = points.length / 2;
    if (!moves || rows !== this.#rows) this.#fit(points);
    this.#rows = rows;
    const x = new Float32Array(rows);
    const y = new Float32Array(rows);
    for (let row = 0; row < rows; row += 1) {
      x[row] = (points[2 * row]! - this.#middle[0]) * this.#scale;
      y[row] = (points[2 * row + 1]! - this.#middle[1]) * this.#scale;
    }
    const size = rows > 50_000 ? 2 : rows > 10_000 ? 3 : rows > 2000 ? 5 : 8;
    const opacity = rows > 50_000 ? 0.5 : rows > 10_000 ? 0.7 : 0.85;
    this.#drawn = this.#drawn.then(async () => {
      this.#plot.set({
        pointColor: colours.length > 1 ? [...colours] : colours[0]!,
        colorBy: values && colours.length > 1 ? 'valueA' : null,
        pointSize: size,
        opacity,
      } as never);
      await this.#plot.draw(
        { x, y, ...(values && { valueA: values }) } as never,
        { transition: moves, ...(values && { zDataType: categorical ? 'categorical' : 'continuous' }) } as never,
      );
    });
    return this.#drawn as Promise<void>;
  }

  select(rows: readonly number[]): void {
    if (rows.length === 0) this.#plot.deselect({ preventEvent: true });
    else this.#plot.select([...rows], { preventEvent: true });
  }

  filter(rows: readonly number[] | undefined): void {
    if (rows === undefined) this.#plot.unfilter({ preventEvent: true });
    else this.#plot.filter([...rows], { preventEvent: true });
  }

  zoomTo(rows: readonly number[]): void {
    void this.#plot.zoomToPoints([...rows], { padding: 0.4, transition: true });
  }

  resize(width: number, height: number): void {
    this.#plot.set({ width: Math.max(1, width), height: Math.max(1, height) } as never);
  }

  /** Pixels within the canvas of a place on the map. */
  toScreen(x: number, y: number): [number, number] {
    const view = this.view;
    const { width, height } = this.#canvas.getBoundingClientRect();
    const [nx, ny] = [(x - this.#middle[0]) * this.#scale, (y - this.#middle[1]) * this.#scale];
    const gx = (view[0]! * nx + view[4]! * ny + view[12]!) * (height / width);
    const gy = view[1]! * nx + view[5]! * ny + view[13]!;
    return [((gx + 1) / 2) * width, ((1 - gy) / 2) * height];
  }

  /** The place on the map under a pixel. */
  toPlace(left: number, top: number): [number, number] {
    const view = this.view;
    const { width, height } = this.#canvas.getBoundingClientRect();
    const gx = ((left / width) * 2 - 1) * (width / height) - view[12]!;
    const gy = 1 - (top / height) * 2 - view[13]!;
    const [a, b, c, d] = [view[0]!, view[4]!, view[1]!, view[5]!];
    const det = a * d - b * c;
    const [nx, ny] = [(d * gx - b * gy) / det, (a * gy - c * gx) / det];
    return [nx / this.#scale + this.#middle[0], ny / this.#scale + this.#middle[1]];
  }

  /** Moves the view by parts of its height, and magnifies. */
  move(right: number, up: number, zoom: number): void {
    const view = this.view;
    for (const at of [0, 1, 4, 5, 12, 13]) view[at]! *= zoom;
    view[12]! -= 2 * right;
    view[13]! -= 2 * up;
    this.view = view;
  }

  destroy(): void {
    this.#plot.destroy();
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
