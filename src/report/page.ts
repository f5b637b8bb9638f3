/** The report as one page of HTML: no script, nothing loaded from elsewhere, light and dark, wide and narrow. */
import { escapeXml } from './drawing/xml.js';
import { DARK, LIGHT } from './theme.js';

export interface PageFigure {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly description: string;
  /** SVG markup in CSS variables, for wide and for narrow windows. */
  readonly wide: string;
  readonly narrow: string;
}

/** One number worth knowing first. */
export interface Highlight {
  readonly label: string;
  readonly value: string;
  readonly unit?: string;
}

export interface Page {
  readonly title: string;
  readonly subtitle?: string;
  readonly highlights: readonly Highlight[];
  readonly figures: readonly PageFigure[];
  /** Names and values for the table at the end. */
  readonly details: readonly (readonly [name: string, value: string])[];
}

export function renderPage({ title, subtitle, highlights, figures, details }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeXml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escapeXml(title)}</h1>
${subtitle ? `<p class="subtitle">${escapeXml(subtitle)}</p>` : ''}
</header>
${highlights.length > 0 ? `<dl class="highlights">\n${highlights.map(highlight).join('\n')}\n</dl>` : ''}
${figures.map(figure).join('\n')}
${details.length > 0 ? `<section>\n<h2>Details</h2>\n<div class="scroll"><table>\n${details.map(detail).join('\n')}\n</table></div>\n</section>` : ''}
</main>
</body>
</html>
`;
}

function highlight({ label, value, unit }: Highlight): string {
  const suffix = unit ? ` <span class="unit">${escapeXml(unit)}</span>` : '';
  return `<div><dt>${escapeXml(label)}</dt><dd>${escapeXml(value)}${suffix}</dd></div>`;
}

function figure({ id, title, caption, description, wide, narrow }: PageFigure): string {
  return `<section id="${escapeXml(id)}">
<h2>${escapeXml(title)}</h2>
<figure>
<div class="wide" role="img" aria-label="${escapeXml(description)}">${wide}</div>
<div class="narrow" role="img" aria-label="${escapeXml(description)}">${narrow}</div>
<figcaption>${escapeXml(caption)}</figcaption>
</figure>
</section>`;
}

function detail([name, value]: readonly [string, string]): string {
  return `<tr><th scope="row">${escapeXml(name)}</th><td>${escapeXml(value)}</td></tr>`;
}

const variables = (theme: Readonly<Record<string, string>>) =>
  Object.entries(theme)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

const STYLE = `
:root{${variables(LIGHT)};--ground:#f3f4f6;--accent:#3f90da;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{${variables(DARK)};--ground:#0d1013}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:940px;margin:0 auto;padding:28px 16px 56px}
h1{font-size:1.75rem;line-height:1.2;margin:0}
h2{font-size:1.15rem;margin:0 0 14px}
.subtitle{color:var(--muted);margin:6px 0 0}
.highlights{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:22px 0 0}
.highlights div,section{background:var(--surface);border:1px solid var(--grid);border-radius:12px}
.highlights div{padding:12px 16px}
dt{color:var(--muted);font-size:.85rem}
dd{margin:2px 0 0;font-size:1.45rem;font-weight:650;font-variant-numeric:tabular-nums}
.unit{display:block;font-size:.85rem;font-weight:400;color:var(--muted)}
section{margin-top:18px;padding:20px}
figure{margin:0}
figure svg{display:block;width:100%;height:auto}
.narrow{display:none}
figcaption{color:var(--muted);font-size:.92rem;margin-top:14px;max-width:72ch}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:7px 12px 7px 0;border-top:1px solid var(--grid);overflow-wrap:anywhere}
tr:first-child th,tr:first-child td{border-top:0}
th{font-weight:500;color:var(--muted);white-space:nowrap;padding-right:24px}
@media (max-width:640px){
main{padding:18px 10px 40px}
section{padding:14px 12px}
h1{font-size:1.4rem}
.highlights{grid-template-columns:1fr 1fr;gap:8px}
.highlights div{padding:10px 12px}
dd{font-size:1.15rem}
.wide{display:none}
.narrow{display:block}
}
@media print{body{background:none}.highlights div,section{break-inside:avoid}}
`;
