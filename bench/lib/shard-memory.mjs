// Some shards of a planned job at once in this process, by the compiled package: tells the most memory it had, as JSON.
import { readFileSync } from 'node:fs';
import { openPlan, ShardWorker } from '../../dist/jobs/index.js';

const [output, count] = process.argv.slice(2);
const { job } = await openPlan(output);
// What the system tells of resources begins with the parent's memory, before this program took its place.
const peakMb = () => Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1.024e-3;
const empty = peakMb();
const worker = await ShardWorker.open(job, { threads: 1 });
const opened = peakMb();
await Promise.all(Array.from({ length: Number(count) }, (_, shard) => worker.runShard(job, shard)));
process.stdout.write(JSON.stringify({ empty, opened, peak: peakMb() }));
await worker.close();
