/** A 16-bit stereo WAV file of two tones and some noise, the same on every machine. */
export function wavOfTones(frames) {
  const bytes = Buffer.alloc(44 + 4 * frames);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  for (const [at, value] of [
    [16, 16],
    [24, 44100],
    [28, 176_400],
    [40, 4 * frames],
  ])
    bytes.writeUInt32LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [22, 2],
    [32, 4],
    [34, 16],
  ])
    bytes.writeUInt16LE(value, at);
  bytes.write('data', 36, 'latin1');
  let state = 1;
  for (let sample = 0; sample < 2 * frames; sample += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Triangles: sines are not the same to the last bit everywhere.
    const tone = 150 * Math.abs((sample % 240) - 120) + 90 * Math.abs((sample % 34) - 17) - 9000;
    bytes.writeInt16LE(tone + (state >>> 26), 44 + 2 * sample);
  }
  return bytes;
}
