/**
 * Colours. Drawings use the light values as they are; a page replaces them by CSS variables of the
 * same names, which change with the reader's light or dark mode. So every value must be unique.
 */
export const LIGHT = {
  surface: '#fffffe',
  ink: '#1c2127',
  muted: '#57606b',
  line: '#8b949f',
  grid: '#e2e6ea',
} as const;

export const DARK: Readonly<Record<keyof typeof LIGHT, string>> = {
  surface: '#15191e',
  ink: '#e8ebee',
  muted: '#a3acb6',
  line: '#6b747e',
  grid: '#2b3138',
};

/**
 * Ten colours that people with every kind of colour vision can tell apart, on light and dark ground:
 * Petroff, "Accessible color sequences for data visualization", 2021 (arXiv:2107.02270).
 */
export const PALETTE = [
  '#3f90da',
  '#ffa90e',
  '#bd1f01',
  '#94a4a2',
  '#832db6',
  '#a96b59',
  '#e76300',
  '#b9ac70',
  '#717581',
  '#92dadd',
] as const;

/** DejaVu Sans comes with the package and draws the PNG files; pages use the reader's own font. */
export const FONT_FAMILY = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

/** Replaces the light values in SVG markup by CSS variables. */
export function themable(svg: string): string {
  let out = svg;
  for (const [name, value] of Object.entries(LIGHT)) out = out.replaceAll(value, `var(--${name})`);
  return out;
}
