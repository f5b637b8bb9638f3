/** The table of commands, in the order of the help: adding one is one file and one line here. */
import type { RegisterCommand } from '../command.js';
import { registerArchive } from './archive.js';
import { registerBenchCodec } from './bench-codec.js';
import { registerCompress } from './compress.js';
import { registerDecode } from './decode.js';
import { registerDecompress } from './decompress.js';
import { registerEncode } from './encode.js';
import { registerExplore } from './explore.js';
import { registerExport } from './export.js';
import { registerInfo } from './info.js';
import { registerJobs } from './jobs/index.js';
import { registerPlot } from './plot.js';
import { registerProviders } from './providers.js';
import { registerPrune } from './prune.js';
import { registerReconstruct } from './reconstruct.js';
import { registerReproduce } from './reproduce.js';
import { registerRuns } from './runs.js';
import { registerSample } from './sample.js';
import { registerScore } from './score.js';
import { registerServe } from './serve.js';
import { registerTrain } from './train.js';

export const COMMANDS: readonly RegisterCommand[] = [
  registerTrain,
  registerEncode,
  registerDecode,
  registerReconstruct,
  registerPlot,
  registerSample,
  registerScore,
  registerInfo,
  registerProviders,
  registerRuns,
  registerReproduce,
  registerExplore,
  registerExport,
  registerCompress,
  registerDecompress,
  registerArchive,
  registerBenchCodec,
  registerJobs,
  registerServe,
  registerPrune,
];
