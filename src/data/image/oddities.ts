/** Files that could be read although something about them is odd, as a note that grows with them. */

/** Files that a note names; of more it gives the number. */
const NAMED = 3;

export class Oddities {
  readonly #found = new Map<string, string>();
  #notes: string[] | undefined;
  #place: number | undefined;

  readonly take = (name: string, why: string): void => {
    this.#found.set(name, why);
    this.#write();
  };

  /** From now on the note is among these: files that are decoded later, when their rows are wanted, are told there. */
  tellIn(notes: string[]): void {
    this.#notes = notes;
    if (this.#found.size > 0) this.#write();
  }

  #write(): void {
    if (this.#notes === undefined) return;
    this.#place ??= this.#notes.length;
    const [[name, why]] = [...this.#found] as [[string, string]];
    this.#notes[this.#place] =
      `read all the same, though not quite as they should be (--strict refuses them): ${some([...this.#found.keys()])}; ${name}: ${why}`;
  }
}

export function some(names: readonly string[]): string {
  const rest = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
