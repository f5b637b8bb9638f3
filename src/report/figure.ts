/** A figure draws itself at the width it is given, as SVG. A new chart is one file that returns one. */

export interface Layout {
  /** Width of the drawing in CSS pixels. */
  readonly width: number;
  /** Whether the drawing is for a phone: fewer columns, panels below each other. */
  readonly narrow: boolean;
}

export const WIDE: Layout = { width: 860, narrow: false };
export const NARROW: Layout = { width: 380, narrow: true };

export interface Figure {
  /** Name of the figure's files, such as `training-curves`. */
  readonly id: string;
  readonly title: string;
  /** What is shown and how to read it. */
  readonly caption: string;
  /** The picture in words, for readers who cannot see it. */
  readonly description: string;
  /** A complete SVG element in the colours of `theme.ts`. */
  draw(layout: Layout): Promise<string>;
}
