import type { RegisterCommand } from '../command.js';

interface PruneFlags {
  readonly keep?: string;
  readonly dryRun?: boolean;
}

export const registerPrune: RegisterCommand = (program, run) =>
  program
    .command('prune')
    .summary("remove other systems' runtime libraries")
    .description(
      'Removes what onnxruntime-node carries for other systems than this one, some 250 MB. Installing again brings it back: ' +
        'run it after npm install, as the last step of an image, say.',
    )
    .option('--keep <systems>', 'systems to keep besides, with commas between, such as linux-x64,linux-arm64')
    .option('--dry-run', 'remove nothing: say what would go')
    .addHelpText(
      'after',
      `
Examples:
  $ node-vae prune
  $ node-vae prune --keep linux-arm64 --dry-run
  RUN npm ci --omit=dev && npx node-vae prune     # in a Dockerfile`,
    )
    .action((flags: PruneFlags) =>
      run(async () => {
        const { pruneRuntime } = await import('../../index.js');
        const keep = flags.keep?.split(',').map((name) => name.trim());
        const dryRun = flags.dryRun ?? false;
        const { folder, kept, removed } = pruneRuntime({ ...(keep && { keep }), dryRun });
        const bytes = removed.reduce((sum, entry) => sum + entry.bytes, 0);
        return {
          data: { folder, kept, removed, bytes, dryRun },
          rows: [
            ['Package', folder],
            ['Kept', kept.join(', ')],
            [dryRun ? 'Would remove' : 'Removed', removed.map(({ system }) => system).join(', ') || 'nothing'],
            ['Freed', `${(bytes / 1e6).toFixed(0)} MB`],
          ],
        };
      }),
    );
