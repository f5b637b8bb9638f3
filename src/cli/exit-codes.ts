/** What the shell is told. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  /** Done, but something was left out: it is named. */
  partly: 3,
  interrupted: 130,
} as const;
