/** The link of what is seen: everything that brings a view back stands behind the address's #. */

export interface Link {
  readonly view: string;
  readonly values: Readonly<Record<string, string>>;
}

export function readLink(): Link {
  const [view = '', query = ''] = location.hash.slice(1).split('?');
  return { view, values: Object.fromEntries(new URLSearchParams(query)) };
}

/** Values that are undefined or empty are left out. */
export function writeLink(view: string, values: Readonly<Record<string, string | undefined>>): void {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== '') query.set(name, value);
  const text = query.size > 0 ? `${view}?${query}` : view;
  if (location.hash.slice(1) !== text) history.replaceState(undefined, '', `#${text}`);
}
