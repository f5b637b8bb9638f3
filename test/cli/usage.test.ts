import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { MNIST, runCli } from './run-cli.js';

const cwd = temporaryFolder('cli');

describe('help', () => {
  it('lists the commands with examples, on stdout, with exit code 0', async () => {
    const { code, stdout, stderr } = await runCli(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const name of ['train', 'encode', 'decode', 'sample', 'score', 'info'])
      expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(stdout).toContain('$ node-vae train');
  });

  it.each(['train', 'encode', 'decode', 'sample', 'score', 'info'])('teaches %s by example', async (name) => {
    const { code, stdout } = await runCli([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Examples:\n');
    expect(stdout).toContain(`$ node-vae ${name}`);
    expect(stdout).toContain('--json');
  });

  it('prints the version of the package', async () => {
    expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('wrong usage', () => {
  it.each([
    [['trian'], /unknown command 'trian'.*Did you mean train\?/],
    [['train', 'x', '--epocs', '3'], /unknown option '--epocs'.*Did you mean --epochs\?/],
    [['train'], /missing required argument 'data'/],
    [['train', MNIST], /-o, --out/],
    [['train', MNIST, '-o', 'm', '--epochs', 'ten'], /'ten' is invalid. Expected a whole number from 1/],
    [['train', MNIST, '-o', 'm', '--epochs', '0'], /whole number from 1/],
    [['train', MNIST, '-o', 'm', '--hidden', '4,x'], /such as 400,200/],
    [['train', MNIST, '-o', 'm', '--limit', '64', '--architecture', 'mpl'], /architecture/],
    [['train', MNIST, '-o', 'm', '--limit', '64', '--architecture', '{"type":'], /Expected a name, or JSON/],
    [
      ['train', MNIST, '-o', 'm', '--limit', '64', '--set', 'fit.epoch=3'],
      /unknown option "epoch"; did you mean "epochs"\?/,
    ],
    [['train', MNIST, '-o', 'm', '--limit', '64', '--set', 'epochs=3'], /begins with "model." or "fit."/],
    [['train', MNIST, '-o', 'm', '--part', 'tset'], /expected train or test, received "tset"/],
    [['train', MNIST, '-o', 'm', '--provider', 'gpu', '--limit', '64'], /provider/],
    [['info', 'a', 'b'], /too many arguments/],
  ])('%j ends with exit code 2 and a remedy, and writes nothing', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args as string[], { cwd });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^ERR_VAE_OPTION: /m);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toContain('    at ');
    expect(await readdir(cwd)).toEqual([]);
  });

  it('shows the help where there is no command', async () => {
    const { code, stderr } = await runCli([]);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: node-vae');
  });
});

describe('failures', () => {
  it('ends with exit code 1, the code and the remedy, without a stack unless asked', async () => {
    const plain = await runCli(['info', './nothing']);
    expect(plain).toMatchObject({ code: 1, stdout: '' });
    expect(plain.stderr).toMatch(/^ERR_VAE_IO: There is no model directory "\.\/nothing"/);
    expect(plain.stderr).not.toContain('    at ');
    expect((await runCli(['info', './nothing', '--verbose'])).stderr).toContain('    at ');
  });

  it('prints errors as one JSON object where JSON was asked for', async () => {
    const failed = await runCli(['score', './nothing', MNIST, '--json']);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout)).toEqual({
      error: { code: 'ERR_VAE_IO', message: expect.stringContaining('./nothing') },
    });
    const misused = await runCli(['score', '--jsn', '--json']);
    expect(misused.code).toBe(2);
    expect(JSON.parse(misused.stdout).error.code).toBe('ERR_VAE_OPTION');
  });

  it('says which data it knows', async () => {
    const missing = await runCli(['train', 'nothing', '-o', 'm'], { cwd });
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringContaining('There is no file or folder "nothing"'),
    ]);
    const unknown = await runCli(['train', process.execPath, '-o', 'm'], { cwd });
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('Known are .npy files')]);
  });
});
