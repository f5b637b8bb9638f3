/** Colours that people with every kind of colour vision can tell apart: those of reports, and what the page makes of them. */
import { heat } from '../../../src/report/colour-map.js';
import { PALETTE } from '../../../src/report/theme.js';

export { heat, PALETTE as CLASSES };

function hex([red, green, blue]: readonly number[]): string {
  return `#${[red, green, blue].map((value) => value!.toString(16).padStart(2, '0')).join('')}`;
}

/** Of much and little, as many steps as are told apart. */
export const SCALE = Array.from({ length: 64 }, (_, index) => hex(heat(index / 63)));

export const SCALE_CSS = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((part) => hex(heat(part))).join(', ')})`;
