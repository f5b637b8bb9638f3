/** /proc/cpuinfo as an arm64 processor has it: ONNX Runtime reads it, and ends the process where it finds another. */
export const ARM_CPUINFO = [0, 1]
  .map((number) =>
    [
      `processor\t: ${number}`,
      'BogoMIPS\t: 50.00',
      'Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp',
      'CPU implementer\t: 0x41',
      'CPU architecture: 8',
      'CPU variant\t: 0x3',
      'CPU part\t: 0xd0c',
      'CPU revision\t: 1',
      '',
    ].join('\n'),
  )
  .join('\n');
