/** Sound files that the server does not read from memory, decoded by the browser and given to it as WAV. */

/** Endings that browsers decode, but for WAV, which the server reads itself. */
const SOUNDS = /\.(mp3|ogg|oga|opus|flac|m4a|aac|aiff?|weba)$/i;

/** Undefined for files that are sent as they are. */
export async function asWav(file: File, sampleRate: number): Promise<ArrayBuffer | undefined> {
  if (!SOUNDS.test(file.name)) return undefined;
  const context = new OfflineAudioContext(1, 1, sampleRate);
  const sound = await context.decodeAudioData(await file.arrayBuffer()).catch(() => {
    throw new Error(`${file.name}: this browser cannot decode the sound; convert it to WAV.`);
  });
  return wavOf(
    Array.from({ length: Math.min(2, sound.numberOfChannels) }, (_, channel) => sound.getChannelData(channel)),
    sound.sampleRate,
  );
}

/** 32-bit floats. */
function wavOf(channels: readonly Float32Array[], sampleRate: number): ArrayBuffer {
  const count = channels[0]!.length;
  const bytes = 4 * channels.length * count;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const text = (at: number, letters: string): void => {
    for (let index = 0; index < letters.length; index += 1) view.setUint8(at + index, letters.charCodeAt(index));
  };
  text(0, 'RIFF');
  view.setUint32(4, 36 + bytes, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 4 * channels.length * sampleRate, true);
  view.setUint16(32, 4 * channels.length, true);
  view.setUint16(34, 32, true);
  text(36, 'data');
  view.setUint32(40, bytes, true);
  for (let at = 0; at < count; at += 1) {
    for (const [index, channel] of channels.entries())
      view.setFloat32(44 + 4 * (at * channels.length + index), channel[at]!, true);
  }
  return view.buffer as ArrayBuffer;
}
