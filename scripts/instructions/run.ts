/**
 * Guards the speed of the native hot loops by counting instructions: npm run check:instructions -- [--record]
 *
 * Valgrind's callgrind counts what each loop executes; that does not depend on how busy the machine is. The counts of
 * expected.json were made with the compiler it names; another version of it may differ by more, another compiler by
 * far, so each is held to a bound of its own. --record writes the counts of this machine there: look at the difference
 * before it is committed. Linux on x86-64, where valgrind emulates a processor with AVX2.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Expected {
  readonly compiler: string;
  /** Instructions for one unit of each loop. */
  readonly instructions: Readonly<Record<string, number>>;
}

/** With the compiler of expected.json: less than this is noise of setting up a round. */
const SAME_COMPILER = 1.03;
const OTHER_COMPILER = 1.3;

const here = fileURLToPath(new URL('.', import.meta.url));
const build = fileURLToPath(new URL('../../build/instructions', import.meta.url));
const record = process.argv.includes('--record');
const file = join(here, 'expected.json');

if (process.platform !== 'linux' || process.arch !== 'x64') leave('it needs Linux on x86-64');
if (spawnSync('valgrind', ['--version']).status !== 0) leave('valgrind is not installed');

run('cmake', ['-S', here, '-B', build]);
run('cmake', ['--build', build, '--parallel']);
const program = join(build, 'hot_loops');
const compiler = run('c++', ['--version']).split('\n')[0]!;
const expected = JSON.parse(readFileSync(file, 'utf8')) as Expected;
const bound = compiler === expected.compiler ? SAME_COMPILER : OTHER_COMPILER;
if (!record && bound === OTHER_COMPILER) console.log(`The counts are of ${expected.compiler}; this is ${compiler}.`);

const counts: Record<string, number> = {};
let failed = false;
for (const line of run(program, []).trim().split('\n')) {
  const [units, name] = line.split('\t') as [string, string];
  // What both runs have in common is not of the loop.
  const each = (instructions(name, 5) - instructions(name, 2)) / 3 / Number(units);
  counts[name] = Number(each.toPrecision(4));
  const before = expected.instructions[name];
  const ratio = before === undefined ? Number.NaN : each / before;
  const good = record || ratio <= bound;
  failed ||= !good;
  console.log(
    `${good ? 'good ' : 'SLOWER'}  ${name}: ${counts[name]} instructions` +
      (record ? '' : `, ${before} expected (${ratio.toFixed(3)} of it, at most ${bound})`),
  );
}
if (record) writeFileSync(file, `${JSON.stringify({ compiler, instructions: counts }, null, 2)}\n`);
process.exit(failed ? 1 : 0);

function instructions(name: string, rounds: number): number {
  const said = run('valgrind', ['--tool=callgrind', '--callgrind-out-file=/dev/null', program, name, String(rounds)]);
  const collected = /Collected : (\d+)/.exec(said)?.[1];
  if (collected === undefined) throw new Error(`valgrind said no count for ${name}:\n${said}`);
  return Number(collected);
}

/** What a program said on both its channels. */
function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout + stderr;
}

function leave(reason: string): never {
  console.log(`left out: ${reason}`);
  process.exit(0);
}
