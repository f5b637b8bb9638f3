import type { RegisterCommand } from '../command.js';
import { count } from '../output.js';
import { wholeNumber } from '../parse.js';
import { addDataOptions, type DataFlags, loadData } from '../shared-options.js';

interface BenchCodecFlags extends DataFlags {
  readonly model: string;
  readonly threads?: number;
  readonly peers: boolean;
}

export const registerBenchCodec: RegisterCommand = (program, run) => {
  const command = program
    .command('bench-codec')
    .summary('measure a codec on your own data, beside other compressors')
    .description(
      'Compresses all rows, unpacks them, compares every byte, and does the same with gzip, brotli, WebP, and with ' +
        'bzip2, xz, zstd and JPEG XL where they are installed (image formats get one large picture).',
    )
    .argument('<data>', '.npy file, IDX file or folder with the MNIST names; 8-bit values')
    .requiredOption('-m, --model <model>', 'codec model: a folder or file, or the name of one of this package')
    .option('--threads <n>', 'chunks coded at once (one per processor)', wholeNumber(1))
    .option('--no-peers', 'measure the codec alone');
  addDataOptions(command).addHelpText(
    'after',
    `
Example:
  $ node-vae bench-codec mnist/ --part test -m mnist-codec`,
  );
  return command.action((path: string, flags: BenchCodecFlags) =>
    run(async (signal) => {
      const { measureCodec, PEER_NAMES } = await import('../../index.js');
      const { PEER_PROGRAMS } = await import('../peer-programs.js');
      const dataset = await loadData(path, flags, signal);
      const measured = await measureCodec(dataset, {
        model: flags.model,
        ...(flags.threads !== undefined && { threads: flags.threads }),
        peers: flags.peers && [...PEER_NAMES, ...PEER_PROGRAMS],
        signal,
      });
      const { ours, peers, missing, bitsPerDimWithModel, modelBytes } = measured;
      return {
        data: { ...measured },
        rows: [
          ['', '    bits/value         bytes   pack MB/s   unpack MB/s'],
          ...[ours, ...peers].map(
            ({ name, bitsPerDim, bytes, compressMbPerSecond, decompressMbPerSecond }) =>
              [
                name,
                `${bitsPerDim.toFixed(4).padStart(14)}${count(bytes).padStart(14)}` +
                  `${compressMbPerSecond.toFixed(2).padStart(12)}${decompressMbPerSecond.toFixed(2).padStart(14)}`,
              ] as const,
          ),
          ['Model', `${count(modelBytes)} bytes; with it ${bitsPerDimWithModel.toFixed(4)} bits per value`],
          ...Object.entries(missing).map(([name, why]) => [name, `left out: ${why}`] as const),
        ],
      };
    }),
  );
};
