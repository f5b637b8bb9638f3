/** Video that the server does not read from memory, decoded by the browser and given to it as .y4m. */

/** Endings that browsers decode; .y4m the server reads itself. */
const VIDEOS = /\.(mp4|m4v|mov|webm|ogv|mkv|3gp)$/i;
/** Longer videos are read to here. */
const MOST_FRAMES = 512;
/** Bytes of frames that are sent at most. */
const MOST_BYTES = 48 << 20;

/** Undefined for files that are sent as they are. @param fps frames a second that the model was trained on. */
export async function asY4m(file: File, fps: number): Promise<ArrayBuffer | undefined> {
  if (!VIDEOS.test(file.name)) return undefined;
  const url = URL.createObjectURL(file);
  const video = document.createElement('video');
  try {
    video.muted = true;
    video.preload = 'auto';
    await loaded(video, url).catch(() => {
      throw new Error(`${file.name}: this browser cannot decode the video; convert it to .y4m, WebM or MP4.`);
    });
    const { videoWidth: width, videoHeight: height } = video;
    const rate = Math.max(1, Math.round(fps * 1000));
    const head = new TextEncoder().encode(
      `YUV4MPEG2 W${width} H${height} F${rate}:1000 Ip A1:1 C444 XCOLORRANGE=FULL\n`,
    );
    const frameBytes = 3 * width * height;
    const wanted = Math.max(1, Math.round(video.duration * fps));
    const count = Math.min(wanted, MOST_FRAMES, Math.max(1, Math.floor(MOST_BYTES / frameBytes)));
    const mark = new TextEncoder().encode('FRAME\n');
    const bytes = new Uint8Array(head.length + count * (mark.length + frameBytes));
    bytes.set(head);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true })!;
    for (let frame = 0, at = head.length; frame < count; frame += 1) {
      // The middle of a frame: its edge may belong to the one before.
      await sought(video, Math.min((frame + 0.5) / fps, video.duration));
      context.drawImage(video, 0, 0);
      bytes.set(mark, at);
      at += mark.length;
      writePlanes(context.getImageData(0, 0, width, height).data, bytes.subarray(at, at + frameBytes), height);
      at += frameBytes;
    }
    return bytes.buffer;
  } finally {
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(url);
  }
}

function loaded(video: HTMLVideoElement, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    video.onloadeddata = () => resolve();
    video.onerror = () => reject(video.error);
    video.src = url;
  });
}

function sought(video: HTMLVideoElement, seconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    video.onseeked = () => resolve();
    video.onerror = () => reject(new Error(video.error?.message ?? 'The video cannot be decoded.'));
    video.currentTime = seconds;
  });
}

/** Red, green and blue to planes of full range, by the matrix that a reader takes for this height. */
function writePlanes(pixels: Uint8ClampedArray, planes: Uint8Array, height: number): void {
  const [red, blue] = height >= 720 ? [0.2126, 0.0722] : [0.299, 0.114];
  const size = planes.length / 3;
  const clamped = new Uint8ClampedArray(planes.buffer, planes.byteOffset, planes.length);
  for (let at = 0; at < size; at += 1) {
    const [r, g, b] = [pixels[4 * at]!, pixels[4 * at + 1]!, pixels[4 * at + 2]!];
    const luma = red * r + (1 - red - blue) * g + blue * b;
    clamped[at] = luma;
    clamped[size + at] = 128 + (b - luma) / (2 * (1 - blue));
    clamped[2 * size + at] = 128 + (r - luma) / (2 * (1 - red));
  }
}
