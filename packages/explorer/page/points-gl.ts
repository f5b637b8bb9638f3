/** Draws points by WebGL 2: one call for all of them, straight into the canvas that is seen. */

const VERTEX = `#version 300 es
in vec2 before;
in vec2 place;
in vec4 colour;
in float grow;
uniform vec2 scale;
uniform vec2 shift;
uniform float moved;
uniform float size;
out vec4 ink;
out float wide;
void main() {
  gl_Position = vec4(mix(before, place, moved) * scale + shift, 0.0, 1.0);
  wide = size * grow;
  gl_PointSize = wide;
  ink = colour;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 ink;
in float wide;
out vec4 result;
void main() {
  float away = length(gl_PointCoord - 0.5) * wide;
  float alpha = ink.a * clamp(wide * 0.5 - away + 0.25, 0.0, 1.0);
  result = vec4(ink.rgb * alpha, alpha);
}`;

export interface DrawnView {
  /** Of the height; the width is scaled by the canvas. */
  readonly scale: number;
  readonly x: number;
  readonly y: number;
  /** Part of the way from where points were. */
  readonly moved: number;
  /** Diameter of a point in pixels of the screen. */
  readonly size: number;
}

export class PointsGl {
  readonly #canvas: HTMLCanvasElement;
  readonly #gl: WebGL2RenderingContext;
  #program: WebGLProgram | undefined;
  readonly #buffers = new Map<string, WebGLBuffer>();
  readonly #data = new Map<string, Float32Array | Uint8Array>();
  #count = 0;

  /** @throws Error where the browser has no WebGL 2. */
  constructor(canvas: HTMLCanvasElement, redraw: () => void) {
    this.#canvas = canvas;
    const gl = canvas.getContext('webgl2', { antialias: false, depth: false, stencil: false });
    if (!gl) throw new Error('This browser has no WebGL 2, by which the map is drawn.');
    this.#gl = gl;
    canvas.addEventListener('webglcontextlost', (event) => event.preventDefault());
    canvas.addEventListener('webglcontextrestored', () => {
      this.#buffers.clear();
      this.#prepare();
      for (const [name, values] of this.#data) this.#upload(name, values);
      redraw();
    });
    this.#prepare();
  }

  set count(count: number) {
    this.#count = count;
  }

  /** `before` and `place` [count, 2], `colour` RGBA bytes [count, 4], `grow` [count]. */
  set(name: 'before' | 'place' | 'colour' | 'grow', values: Float32Array | Uint8Array): void {
    this.#data.set(name, values);
    this.#upload(name, values);
  }

  draw({ scale, x, y, moved, size }: DrawnView): void {
    const gl = this.#gl;
    const { width, height } = this.#canvas;
    const ratio = devicePixelRatio;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.#count === 0 || !this.#program) return;
    const at = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(this.#program!, name);
    const aspect = height / width;
    gl.uniform2f(at('scale'), scale * aspect, scale);
    gl.uniform2f(at('shift'), x * aspect, y);
    gl.uniform1f(at('moved'), moved);
    gl.uniform1f(at('size'), size * ratio);
    gl.drawArrays(gl.POINTS, 0, this.#count);
  }

  destroy(): void {
    this.#gl.getExtension('WEBGL_lose_context')?.loseContext();
  }

  #prepare(): void {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(type)!;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`The map cannot be drawn: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.#program = program;
  }

  #upload(name: string, values: Float32Array | Uint8Array): void {
    const gl = this.#gl;
    const buffer = this.#buffers.get(name) ?? gl.createBuffer();
    this.#buffers.set(name, buffer);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    const place = gl.getAttribLocation(this.#program!, name);
    if (place < 0) return;
    gl.enableVertexAttribArray(place);
    if (name === 'colour') gl.vertexAttribPointer(place, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    else gl.vertexAttribPointer(place, name === 'grow' ? 1 : 2, gl.FLOAT, false, 0, 0);
  }
}
