import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { MNIST, runCli } from './run-cli.js';

const cwd = temporaryFolder('cli');

const RUN = ['--limit', '2000', '--hidden', '64', '--latent', '4', '--epochs', '100000', '--json'];

describe.skipIf(process.platform === 'win32')('interruption (Windows has no signals to send)', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s stops after the step in flight, saves the model and ends with 130',
    async (name) => {
      let sent = false;
      const { code, stdout, stderr } = await runCli(['train', MNIST, '-o', name, ...RUN], {
        cwd,
        onStderr: (child, said) => {
          // Logs get a line a minute: the first, and then some epochs more.
          if (sent || !/^ +1\//m.test(said)) return;
          sent = true;
          setTimeout(() => child.kill(name), 1500);
        },
      });
      expect(code).toBe(130);
      expect(stderr).toContain('finishing the step in flight');
      const result = JSON.parse(stdout);
      expect(result.interrupted).toBe(true);
      expect(result.epochs).toBeGreaterThanOrEqual(3);
      await using vae = await Vae.load(join(cwd, name));
      expect(vae.info.trainedEpochs).toBe(result.epochs);
      const goingOn = await runCli(
        ['train', MNIST, '-o', name, '--limit', '2000', '--resume', '--epochs', String(result.epochs + 1), '--json'],
        { cwd },
      );
      expect(goingOn.code).toBe(0);
      expect(JSON.parse(goingOn.stdout).history).toHaveLength(result.epochs + 1);
    },
  );

  it('a run that was killed goes on from its last checkpoint', async () => {
    let killed = false;
    const { code } = await runCli(['train', MNIST, '-o', 'killed', ...RUN, '--checkpoint-every', '4'], {
      cwd,
      onStderr: (child, said) => {
        if (killed || !/^ +1\//m.test(said)) return;
        killed = true;
        setTimeout(() => child.kill('SIGKILL'), 200);
      },
    });
    expect(code).toBe(null);
    const resumed = await runCli(
      ['train', MNIST, '-o', 'killed', '--limit', '2000', '--resume', '--epochs', '100', '--json'],
      { cwd },
    );
    const whole = await runCli(['train', MNIST, '-o', 'whole', ...RUN.slice(0, 6), '--epochs', '100', '--json'], {
      cwd,
    });
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.stdout).history.at(-1).train).toEqual(JSON.parse(whole.stdout).history.at(-1).train);
  });
});

describe.skipIf(process.platform === 'win32')(
  'stopped while the codec is made (Windows has no signals to send)',
  () => {
    it('says that the model is there and the codec is not; the same command with --resume makes it', async () => {
      const args = ['train', MNIST, '-o', 'coded', '--codec', '--epochs', '1', '--limit', '1500', '--hidden', '64'];
      const record = join(cwd, 'coded', 'run.json');
      const stopped = await runCli(args, {
        cwd,
        onStart: (child) => {
          const timer = setInterval(() => {
            // The record says so once the model is saved; the codec comes after it.
            if (!existsSync(record) || !readFileSync(record, 'utf8').includes('"outcome": "done"')) return;
            clearInterval(timer);
            child.kill('SIGTERM');
          }, 2);
          child.once('exit', () => clearInterval(timer));
        },
      });
      expect(stopped.code).toBe(130);
      expect(stopped.stderr).toContain('the trained model is in coded, but not its codec');
      expect(stopped.stderr).not.toContain('nothing bears the name');
      expect(existsSync(join(cwd, 'coded', 'codec.safetensors'))).toBe(false);
      await using vae = await Vae.load(join(cwd, 'coded'));
      expect(vae.info.trainedEpochs).toBe(1);
      expect((await runCli([...args, '--resume'], { cwd })).code).toBe(0);
      expect(existsSync(join(cwd, 'coded', 'codec.safetensors'))).toBe(true);
    }, 120_000);
  },
);
