/** What a command is: something that adds itself to the program, and gives its work to a runner. */
import type { Command } from 'commander';
import type { CommandResult } from './result.js';

/** Runs a command's work under a signal that Ctrl-C aborts. */
export type Runner = (work: (signal: AbortSignal) => Promise<CommandResult>) => Promise<void>;

/** Adds a command to the program; `run` runs its work. */
export type RegisterCommand = (program: Command, run: Runner) => Command;
