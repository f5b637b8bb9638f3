/** Which systems the package can run on. */

/** Those that onnxruntime-node has a library for. */
const SUPPORTED = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

/** Why this system cannot be one, and what to do; undefined where it can. */
export function platformObstacle(): string | undefined {
  const platform = `${process.platform}-${process.arch}`;
  if (!SUPPORTED.includes(platform)) {
    return `node-vae does not run on ${platform}, for which there is no library of ONNX Runtime; it runs on ${SUPPORTED.join(', ')}.`;
  }
  if (isMusl()) {
    return (
      'node-vae does not run on musl (Alpine Linux): the library of ONNX Runtime needs glibc. ' +
      'Use a glibc based system or image, such as node:20-slim instead of node:20-alpine.'
    );
  }
  return undefined;
}

function isMusl(): boolean {
  if (process.platform !== 'linux' || process.report === undefined) return false;
  // Asking for the names of the network's other ends can take seconds.
  (process.report as { excludeNetwork?: boolean }).excludeNetwork = true;
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header !== undefined && header.glibcVersionRuntime === undefined;
}
