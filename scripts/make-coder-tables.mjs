// Writes native/coder/tables.cc: the functions that drive the entropy coder, as integers.
// The committed file is what counts, since an archive decodes only with the very numbers it was
// written with; this script shows where they come from. Run: node scripts/make-coder-tables.mjs
import { writeFileSync } from 'node:fs';

/** Complementary error function to double precision: series near zero, continued fraction beyond. */
function erfc(x) {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n += 1) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 200; n >= 1; n -= 1) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const normalCdf = (x) => 0.5 * erfc(-x / Math.SQRT2);

/** Inverse of normalCdf by bisection. */
function normalQuantile(p) {
  let low = -9;
  let high = 9;
  for (let i = 0; i < 200; i += 1) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const ONE = 2 ** 24;
const sigmoid = Array.from({ length: 1025 }, (_, i) => Math.round(ONE / (1 + Math.exp(-(i - 512) / 32))));
const cdf = Array.from({ length: 1025 }, (_, i) => Math.round(ONE * normalCdf((i - 512) / 64)));
const exp2 = Array.from({ length: 256 }, (_, i) => Math.round(32768 * 2 ** (i / 256)));
// Only the upper half: the quantile function is odd.
const quantiles = Array.from({ length: 2048 }, (_, i) => Math.round(4096 * normalQuantile(0.5 + i / 4096)));

const body = (name, type, values) =>
  `const ${type} ${name}[${values.length}] = {\n${chunks(values.map(String), 12)
    .map((row) => `    ${row.join(', ')},`)
    .join('\n')}\n};\n`;

function chunks(values, size) {
  const rows = [];
  for (let i = 0; i < values.length; i += size) rows.push(values.slice(i, i + size));
  return rows;
}

writeFileSync(
  new URL('../native/coder/tables.cc', import.meta.url),
  `// Made by scripts/make-coder-tables.mjs. Part of the archive format: a changed number here makes
// archives undecodable.
#include "coder/tables.h"

namespace node_vae::coder {

${body('kSigmoid', 'int32_t', sigmoid)}
${body('kNormalCdf', 'int32_t', cdf)}
${body(
  'kExp2',
  'uint16_t',
  exp2.map((v) => Math.min(v, 65535)),
)}
${body('kNormalQuantile', 'int32_t', quantiles)}
}  // namespace node_vae::coder
`,
);
