import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { Engine } from '../engine.js';
import { latentShapeFor } from '../networks.js';

/** Opens both networks and runs them on zeros. */
export async function warmUp(
  engine: Engine,
  batchSizes: readonly number[],
  shape: readonly number[] | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const where = 'warmUp()';
  const { networks } = engine;
  const dataShape = shape ?? networks.dataShape;
  if (dataShape.includes(-1)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: the sides of this model's data [${networks.dataShape.join(', ')}] are open; give the shape you will use.`,
    );
  }
  const latentShape = latentShapeFor(networks, dataShape, where);
  const zeros = (rows: number, row: readonly number[]) => ({
    data: new Float32Array(rows * elementCount(row)),
    shape: [rows, ...row],
  });
  for (const rows of batchSizes) {
    await engine.encode(zeros(rows, dataShape), { signal }, where);
    await engine.decode(zeros(rows, latentShape), { signal }, where);
  }
}
