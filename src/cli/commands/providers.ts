import type { RegisterCommand } from '../command.js';

export const registerProviders: RegisterCommand = (program, run) => {
  const command = program
    .command('providers')
    .summary('list where networks can run')
    .description(
      'Lists the execution providers of the ONNX Runtime library, the plugins that were found and their devices, and for ' +
        'each of the others what is missing and how to get it.',
    )
    .addHelpText(
      'after',
      `
Plugins are looked for in NODE_VAE_PROVIDER_LIBRARIES, in npm packages and packages of the active Python environment
that are called onnxruntime-ep-..., and beside the ONNX Runtime library.

Examples:
  $ node-vae providers
  $ NODE_VAE_PROVIDER_LIBRARIES=/opt/libonnxruntime_providers_webgpu.so node-vae providers --json`,
    );
  return command.action(() =>
    run(async () => {
      const { listProviders } = await import('../../index.js');
      const providers = listProviders();
      const rows = providers.flatMap(({ name, available, source, library, devices, problem, remedy }) => {
        const where = source === 'plugin' && library !== undefined ? `plugin ${library}` : source;
        const head: [string, string] = [name, available ? where : `${problem}. ${remedy ?? ''}`.trim()];
        const each = devices.map(({ index, type, software, vendor, description }): [string, string] => {
          const kind = software ? 'software, on the processor' : type;
          return [`  device ${index}`, [description, vendor, kind].filter(Boolean).join(', ')];
        });
        return [head, ...each];
      });
      return { data: { providers }, rows };
    }),
  );
};
