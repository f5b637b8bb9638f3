// Regenerates src/graph/proto/onnx_pb.ts from onnx.proto. Needed only when that file changes.
// Usage: node scripts/generate-proto.mjs
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../src/graph/proto/', import.meta.url));
const output = mkdtempSync(path.join(tmpdir(), 'node-vae-proto-'));
const template = {
  version: 'v2',
  inputs: [{ directory: folder }],
  plugins: [{ local: 'protoc-gen-es', out: output, opt: ['target=ts', 'import_extension=js'] }],
};
try {
  execFileSync(
    'npx',
    [
      '-y',
      '-p',
      '@bufbuild/buf@^1.75.0',
      '-p',
      '@bufbuild/protoc-gen-es@^2.17.0',
      'buf',
      'generate',
      '--template',
      JSON.stringify(template),
    ],
    { stdio: 'inherit', cwd: folder },
  );
  copyFileSync(path.join(output, 'onnx_pb.ts'), path.join(folder, 'onnx_pb.ts'));
} finally {
  rmSync(output, { recursive: true, force: true });
}
