import { VaeError } from '../../core/errors.js';

export function formatError(where: string, why: string): VaeError {
  return new VaeError('ERR_VAE_FORMAT', `${where}: not a valid .npy file: ${why}.`);
}

/** Kinds of elements that are no plain numbers, and what makes numbers of them in numpy. */
const CONVERSIONS: readonly (readonly [RegExp, string, string])[] = [
  [/^[<>=]?c\d+$/, 'complex numbers', "np.stack([x.real, x.imag], 1).astype('float32')"],
  [/^[<>=]?[mM]8/, 'times', "x.astype('float64')"],
  [/^[<>=]?f(12|16)$/, 'long doubles', "x.astype('float64')"],
  [/^[<>=|]?[USaV]\d*$/, 'texts or bytes', "x.astype('float32')"],
  [/^\|O$/, 'Python objects', "np.stack(list(x)).astype('float32')"],
];

/** For a file that is as it should be, and holds what this package does not read. */
export function elementError(where: string, descr: string): VaeError {
  const [, what, how] = CONVERSIONS.find(([pattern]) => pattern.test(descr)) ?? [
    undefined,
    'no known numbers',
    "x.astype('float32')",
  ];
  return new VaeError(
    'ERR_VAE_FORMAT',
    `${where}: elements of type ${JSON.stringify(descr)} (${what}) are not numbers that are read. Save them as numbers: np.save(path, ${how}).`,
  );
}

export function structuredError(where: string): VaeError {
  return new VaeError(
    'ERR_VAE_FORMAT',
    `${where}: structured elements (with named fields) are not read. Save one field, np.save(path, x['name']), or a table: ` +
      'pandas.DataFrame(x).to_parquet(path).',
  );
}
