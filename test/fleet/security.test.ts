/** Redis with TLS and with users of few rights; what examples and the guide tell people to run. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { Vae, writeNpy } from '../../src/index.js';
import { startWorker, submitJob } from '../../src/jobs/index.js';
import { runCli } from '../cli/run-cli.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('fleet-security');
const at = (...parts: string[]) => join(folder, ...parts);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** A certificate of this machine's own, for 127.0.0.1. */
const certified =
  HAS_REDIS &&
  spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', at('key.pem'), '-out', at('cert.pem')],
  ]).status === 0;

const left = HAS_REDIS
  ? certified
    ? ''
    : ': openssl is not installed, or made no certificate (Debian: apt-get install openssl)'
  : `: ${REDIS_MISSING}`;

describe.skipIf(left !== '')(`a Redis with TLS and users${left}`, () => {
  let redis: TestRedis;

  beforeAll(async () => {
    await writeFile(
      at('users.acl'),
      // What BullMQ needs: its own keys, and no commands that look after the server.
      'user default off\nuser fleet on >pass-word ~node-vae:* &* +@all -@admin -@dangerous +info +client|setname\n',
    );
    const tls = ['--tls-cert-file', at('cert.pem'), '--tls-key-file', at('key.pem'), '--tls-auth-clients', 'no'];
    redis = await startRedis(at('redis'), { tls: [...tls, '--aclfile', at('users.acl')] });
    const input = { kind: 'vector', length: 3 } as const;
    await using vae = await Vae.create({ input, architecture: { type: 'mlp', hidden: [4] }, latentDim: 2 });
    await vae.save(at('model'));
    await writeNpy(at('rows.npy'), { data: new Float32Array(60 * 3).fill(0.5), shape: [60, 3] });
  });
  afterAll(() => redis?.stop());

  it('takes jobs and gives them, and lets nobody else', async () => {
    const job = {
      ...({ operation: 'encode', format: 'npy' } as const),
      ...{ model: at('model'), input: at('rows.npy'), output: at('out'), shardSize: 20 },
    };
    const tls = { ca: await readFile(at('cert.pem')) };
    const address = { redis: redis.url.replace('redis://', 'rediss://fleet:pass-word@'), tls };
    const submitted = await submitJob(job, address);
    onTestFinished(() => submitted.close());
    const worker = await startWorker({ ...address, roots: [folder] });
    onTestFinished(() => worker.close());
    expect(await submitted.wait()).toMatchObject({ items: 60, shards: 3 });
    const wrong = { redis: redis.url.replace('redis://', 'rediss://fleet:other-word@'), tls };
    await expect(submitJob(job, wrong)).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await submitJob(job, wrong).catch((error: Error) => expect(error.message).not.toContain('other-word'));
    // A certificate that nobody vouches for.
    await expect(submitJob(job, { redis: address.redis })).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
  }, 60_000);
});

describe('what examples and the guide tell people to run', () => {
  it('is YAML whose commands are commands', async () => {
    const compose = parseAllDocuments(await readFile(join(root, 'examples/fleet/compose.yaml'), 'utf8'))[0]!;
    expect(compose.errors).toEqual([]);
    // biome-ignore lint/suspicious/noExplicitAny: any YAML
    const { services } = compose.toJS() as any;
    expect(services.worker.deploy.replicas).toBe(2);
    expect(services.redis.command).toContain('noeviction');
    const guide = await readFile(join(root, 'docs/guides/jobs.md'), 'utf8');
    const [, kubernetes] = /```yaml\n(# Kubernetes[\s\S]*?)```/.exec(guide) ?? [];
    const documents = parseAllDocuments(kubernetes!);
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    // biome-ignore lint/suspicious/noExplicitAny: any YAML
    const [job] = documents.map((each) => each.toJS()) as any[];
    expect(job).toMatchObject({ apiVersion: 'batch/v1', kind: 'Job' });
    const [container] = job.spec.template.spec.containers;
    for (const command of [services.worker.command, container.command] as string[][]) {
      const [program, ...args] = command;
      expect(program).toBe('node-vae');
      // Flags that are not known are refused before Redis is looked for.
      const env = { NODE_VAE_REDIS: 'redis://127.0.0.1:1' };
      const here = args.map((arg) => (arg === '/shared' ? folder : arg));
      const { code, stderr } = await runCli(here, { cwd: folder, env });
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/Redis at 127\.0\.0\.1:1 cannot/) });
    }
  }, 60_000);
});
