// Learns recorded sounds from WAV files (others through ffmpeg), passes one of them through the model, and says how
// close it comes: by samples, and by spectrum, which is what ears mind.
//
//   node examples/sounds.mjs [--sounds FOLDER] [--form waveform|mel] [--out sounds-output] [--epochs 40]
//
// Real recordings: /usr/share/sounds/alsa (Debian: alsa-utils).
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readAudio } from 'node-vae';
import { trainAndReport } from './lib/data-example.mjs';

const { values: options } = parseArgs({
  options: {
    sounds: { type: 'string', default: '/usr/share/sounds/alsa' },
    form: { type: 'string', default: 'waveform' },
    out: { type: 'string', default: 'sounds-output' },
    epochs: { type: 'string', default: '40' },
  },
});
if (!existsSync(options.sounds)) {
  throw new Error(
    `${options.sounds} is not there: install alsa-utils (Debian), or say where sounds are with --sounds.`,
  );
}

// Few recordings: short rows that share half of their samples are many.
const shape =
  options.form === 'mel'
    ? { fftSize: 512, fftHop: 128, frame: 32 * 128, overlap: 16 * 128 }
    : { frame: 512, overlap: 256 };
const data = await readAudio(options.sounds, { form: options.form, sampleRate: 8000, ...shape });
await trainAndReport({
  title: 'Sounds',
  data,
  out: options.out,
  epochs: Number(options.epochs),
  batchSize: 16,
  extra: async (vae) => {
    const input = data.names[0].replace(/ [\d.]+ s$/, '');
    const output = join(options.out, 'rebuilt.wav');
    const { seconds, snr, spectralDistance } = await vae.reconstructFile(input, output);
    return [
      ['Rebuilt', `${seconds.toFixed(2)} s of ${input}, in ${output}`],
      ['Signal-to-noise ratio', `${snr.toFixed(2)} dB`],
      ['Spectral distance', spectralDistance.toFixed(3)],
    ];
  },
});
