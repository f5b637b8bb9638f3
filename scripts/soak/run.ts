/** npm run check:soak -- [ROUNDS] [WORKERS]: 500 lives of a model and 200 terminated workers, each in one process. */
import { soak } from './soak.js';

const [rounds = 500, workers = 200] = process.argv.slice(2).map(Number);
/** What noise of the allocator may look like over so many rounds: 10 kB a round is 5 MB in all. */
const MOST_BYTES = 10_000;
let failed = false;
for (const [program, count] of [
  ['rounds', rounds],
  ['workers', workers],
] as const) {
  const started = performance.now();
  const { bytesPerRound, moreFiles, residentMb, left } = await soak(program, count);
  const ends = program === 'workers' ? left === true : (left as string[]).length === 0;
  const good = bytesPerRound < MOST_BYTES && moreFiles <= 0 && ends;
  failed ||= !good;
  console.log(
    `${good ? 'flat ' : 'FAULT'}  ${program} ${count}: ${residentMb.join(' to ')} MB resident ` +
      `(${(bytesPerRound / 1000).toFixed(1)} kB a round), ${moreFiles} more files, ${JSON.stringify(left)} at the end, ` +
      `${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
}
process.exit(failed ? 1 : 0);
