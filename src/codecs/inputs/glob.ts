/** Patterns of names: `*.png` of names at any depth, `deep/**` of paths. */

/** Whether a path matches a pattern: * and ? within a name, ** over folders, [abc], {a,b}. Case counts. */
export function matcherOf(pattern: string): (path: string) => boolean {
  const anchored = pattern.replace(/^\.?\//, '');
  const whole = new RegExp(`^${translate(anchored.endsWith('/') ? `${anchored}**` : anchored)}$`, 'su');
  // A pattern without folders is meant for names, wherever they are.
  if (!pattern.includes('/')) return (path) => path.split('/').some((part) => whole.test(part));
  return (path) => whole.test(path);
}

function translate(pattern: string): string {
  let out = '';
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at]!;
    if (character === '*' && pattern[at + 1] === '*') {
      const folders = pattern[at + 2] === '/';
      out += folders ? '(?:.*/)?' : '.*';
      at += folders ? 2 : 1;
    } else if (character === '*') out += '[^/]*';
    else if (character === '?') out += '[^/]';
    else if (character === '{') {
      depth += 1;
      out += '(?:';
    } else if (character === '}' && depth > 0) {
      depth -= 1;
      out += ')';
    } else if (character === ',' && depth > 0) out += '|';
    else if (character === '[' && pattern.indexOf(']', at + 2) > 0) {
      const end = pattern.indexOf(']', at + 2);
      out += `[${pattern
        .slice(at + 1, end)
        .replace(/^!/, '^')
        .replace(/[\\[]/g, '\\$&')}]`;
      at = end;
    } else out += character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  }
  return out;
}
