/** Sound files of any format as WAV files that are read from any place. */
import { extname } from 'node:path';
import { inputOf, runFfmpeg, temporaryFile } from '../ffmpeg.js';
import type { FileKind, FoundFile } from '../find-files.js';
import type { SoundSource } from './resample.js';
import { type OpenWavOptions, WavFile, type WavInfo } from './wav.js';

const WAV = ['.wav', '.wave'];

export const SOUNDS: FileKind = {
  plural: 'sounds',
  endings: [...WAV, '.flac', '.mp3', '.ogg', '.oga', '.opus', '.m4a', '.aac', '.aif', '.aiff', '.wma'],
};

/** A sound file, converted where it was no WAV file. */
export interface SoundFile {
  readonly file: FoundFile;
  readonly info: WavInfo;
  /** Opens it for as long as `work` takes. */
  use<T>(work: (source: SoundSource) => Promise<T>): Promise<T>;
}

/** @throws VaeError ERR_VAE_FORMAT, ERR_VAE_IO; also where ffmpeg is needed and not installed. */
export async function openSound(file: FoundFile, options: OpenWavOptions, signal?: AbortSignal): Promise<SoundFile> {
  let { path } = file;
  if (!WAV.includes(extname(file.name).toLowerCase())) {
    path = temporaryFile('.wav');
    await runFfmpeg([...inputOf(file), '-vn', '-c:a', 'pcm_f32le', `file:${path}`], {
      what: `${file.name} is no WAV file`,
      remedy: 'convert it to WAV',
      signal,
    });
  }
  const first = await WavFile.open(path, file.name, options);
  await first.close();
  return {
    file,
    info: first.info,
    async use(work) {
      const wav = await WavFile.open(path, file.name, options);
      const { sampleRate, channels, length } = wav.info;
      try {
        return await work({ sampleRate, channels, length, read: (start, count) => wav.read(start, count) });
      } finally {
        await wav.close();
      }
    },
  };
}
