import { spawnSync } from 'node:child_process';

/** Whether ffmpeg is installed: what is left to it is tested where it is. */
export const hasFfmpeg = spawnSync(process.env['NODE_VAE_FFMPEG'] || 'ffmpeg', ['-version']).status === 0;
