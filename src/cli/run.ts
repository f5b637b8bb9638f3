/** From arguments to an exit code: parses, runs the command, prints its result or its error. */
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import type { Runner } from './command.js';
import { COMMANDS } from './commands/index.js';
import { describeFailure, isUsageError } from './errors.js';
import { EXIT } from './exit-codes.js';
import { type Interruption, watchForInterruption } from './interruption.js';
import { printError, printResult } from './output.js';

/** @param argv arguments after the program's name. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  const verbose = argv.includes('--verbose');
  let interruption: Interruption | undefined;
  let exitCode: number = EXIT.done;
  const program = buildProgram(async (work) => {
    interruption = watchForInterruption();
    const result = await work(interruption.signal);
    printResult(result, json);
    if (result.partly) exitCode = EXIT.partly;
    if (interruption.signal.aborted && !result.endsBySignal) exitCode = EXIT.interrupted;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return handleUsage(error, json);
    if (interruption !== undefined && isStop(error, interruption.signal)) {
      printError(
        {
          code: 'INTERRUPTED',
          message:
            'Stopped before it was done; nothing bears the name asked for. The same command starts again, or goes on.',
        },
        json,
      );
      return EXIT.interrupted;
    }
    printError(describeFailure(error, verbose), json);
    return isUsageError(error) ? EXIT.usage : EXIT.failed;
  } finally {
    interruption?.release();
  }
}

/** Whether work ended because it was asked to: by the reason itself, or as what was stopped says it. */
function isStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at === signal.reason || at.name === 'AbortError') return true;
  }
  return false;
}

function buildProgram(run: Runner): Command {
  const program = new Command('node-vae')
    .description('Train variational autoencoders and use them: encode, decode, sample, score.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    // Errors are printed in one place, in the form that was asked for.
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      'after',
      `
Start with the model that comes with the package:
  $ node-vae info mnist-mlp
  $ node-vae sample mnist-mlp -n 64 -o digits.png

or train your own, on MNIST's files or a .npy array:
  $ node-vae train mnist/ -o my-model --epochs 10
  $ node-vae encode my-model mnist/ --part test -o latents.npy
  $ node-vae decode my-model latents.npy -o pictures/

Every command explains itself with --help, and prints one JSON object with --json.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but something left out, 130 interrupted.`,
    );
  for (const register of COMMANDS) {
    addCommonOptions(register(program, run));
  }
  return program;
}

/** Of a command, and of those below it. */
function addCommonOptions(command: Command): void {
  command
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .showSuggestionAfterError(true);
  for (const each of command.commands) addCommonOptions(each);
  if (command.commands.length > 0) return;
  command
    .option('--json', 'print the result as one JSON object; progress goes to stderr')
    .option('--verbose', 'print stack traces with errors');
}

function handleUsage(error: CommanderError, json: boolean): number {
  // Help and version were asked for and have been printed.
  if (error.exitCode === 0) return EXIT.done;
  // Help that was printed because there was no command.
  if (error.code === 'commander.help') return EXIT.usage;
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n/g, '. ')
    .replace(/[.?)]?$/, (end) => end || '.');
  printError({ code: 'ERR_VAE_OPTION', message: `${message} Try --help.` }, json);
  return EXIT.usage;
}

/** Of this package, by its own name. */
function version(): string {
  const { version: found } = createRequire(import.meta.url)('node-vae/package.json') as { version: string };
  return found;
}
