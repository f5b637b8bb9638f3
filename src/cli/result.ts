/** What a command has to say when it is done. */
export interface CommandResult {
  /** Printed with --json. Numbers, strings and lists only. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Printed otherwise, as a table of names and values. */
  readonly rows: readonly (readonly [name: string, value: string])[];
  /** Something was left out: exit code 3. */
  readonly partly?: boolean;
  /** Standard output carries the data itself: what there is to say goes to standard error. */
  readonly onStderr?: boolean;
  /** For commands that run until they are asked to stop: that is no interruption. Default false. */
  readonly endsBySignal?: boolean;
}
