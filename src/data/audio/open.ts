/** Sound files of any format as WAV files that are read from any place. */
import { VaeError } from '../../core/errors.js';
import { refusePointer } from '../../core/lfs.js';
import { inputOf, runFfmpeg, temporaryFile } from '../ffmpeg.js';
import { type FileKind, type FoundFile, startOfFile } from '../find-files.js';
import type { SoundSource } from './resample.js';
import { type OpenWavOptions, WavFile } from './wav.js';
import { OTHER_CODING, type WavInfo } from './wav-header.js';

export const SOUNDS: FileKind = {
  plural: 'sounds',
  endings: [
    ...['.wav', '.wave', '.bwf', '.rf64', '.flac', '.mp3', '.ogg', '.oga', '.opus', '.m4a', '.aac'],
    ...['.aif', '.aiff', '.aifc', '.wma', '.au', '.snd', '.caf', '.w64', '.amr', '.ac3', '.wv', '.ape'],
  ],
};

/** A sound file, converted where it was no WAV file that is read here. */
export interface SoundFile {
  readonly file: FoundFile;
  readonly info: WavInfo;
  /** Opens it for as long as `work` takes. */
  use<T>(work: (source: SoundSource) => Promise<T>): Promise<T>;
}

/**
 * By its first bytes, not by its name: a WAV file is read here, all else, and what is coded in other ways, through ffmpeg.
 *
 * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_IO; ERR_VAE_DATA for samples that are no numbers; also where ffmpeg is
 *   needed and not installed.
 */
export async function openSound(file: FoundFile, options: OpenWavOptions, signal?: AbortSignal): Promise<SoundFile> {
  const { name } = file;
  const start = await startOfFile(file, 64);
  refusePointer(start, name);
  const text = Buffer.from(start).toString('latin1');
  // What is called WAV and is text, or empty, is refused for what it lacks.
  const named = /\.(wav|wave)$/i.test(name) && !isMedia(start);
  if (!/^(RIFF|RIFX|RF64|BW64)....WAVE/s.test(text) && !named) {
    return opened(file, await converted(file, `${name} is no WAV file`, signal), options, signal);
  }
  try {
    return await opened(file, file.path, options, signal);
  } catch (error) {
    if (!(error instanceof VaeError) || error.cause !== OTHER_CODING) throw error;
    return opened(
      file,
      await converted(file, `${name} is a WAV file whose sound is compressed`, signal),
      options,
      signal,
    );
  }
}

function isMedia(start: Uint8Array): boolean {
  return start.some((byte) => byte === 0 || byte > 127);
}

async function converted(file: FoundFile, what: string, signal: AbortSignal | undefined): Promise<string> {
  const path = temporaryFile('.wav');
  await runFfmpeg([...inputOf(file), '-vn', '-c:a', 'pcm_f32le', '-rf64', 'auto', `file:${path}`], {
    ...{ what, signal },
    remedy: 'convert it to WAV',
  });
  return path;
}

async function opened(
  file: FoundFile,
  path: string | Buffer,
  options: OpenWavOptions,
  signal: AbortSignal | undefined,
): Promise<SoundFile> {
  const first = await WavFile.open(path, file.name, options);
  try {
    await first.checkValues(signal);
  } finally {
    await first.close();
  }
  return {
    file,
    info: first.info,
    async use(work) {
      const wav = await WavFile.open(path, file.name, options);
      const { sampleRate, channels, length, mask = 0 } = wav.info;
      try {
        return await work({ sampleRate, channels, length, mask, read: (start, count) => wav.read(start, count) });
      } finally {
        await wav.close();
      }
    },
  };
}
