/** Graphs run once, on the processor, to see what they give: see RunGraph. */
import type { RunGraph } from '../../artifacts/foreign/run-graph.js';
import { float32ToFloat16, fromFloat16Bits } from '../../core/half.js';
import { GraphSession } from '../sessions/session.js';

/** A run of a graph from its path or bytes. */
export const runGraph: RunGraph = async (model, input, value) => {
  const session = await GraphSession.open(model, 'trial of a graph');
  try {
    return await runSession(session, input, value);
  } finally {
    await session.close();
  }
};

/** A run of a session that is open; half precision is converted on both sides. */
export async function runSession(
  session: GraphSession,
  input: string,
  { dims, data }: Parameters<RunGraph>[2],
): Promise<Awaited<ReturnType<RunGraph>>> {
  const half = session.inputs.find(({ name }) => name === input)?.dtype === 'float16';
  const given = half ? halved(data as Float32Array) : data;
  const floats = session.outputs.filter(({ dtype }) => dtype === 'float32' || dtype === 'float16');
  const results = await session.run(
    { [input]: { dtype: half ? 'float16' : 'float32', dims, data: given } },
    floats.map(({ name }) => ({ name })),
  );
  return new Map(
    results.map((result, index) => [
      floats[index]!.name,
      {
        dims: result.dims,
        data:
          result.dtype === 'float16'
            ? Float32Array.from(result.data as Uint16Array, fromFloat16Bits)
            : (result.data as Float32Array),
      },
    ]),
  );
}

function halved(data: Float32Array): Uint16Array {
  const into = new Uint16Array(data.length);
  float32ToFloat16(data, into);
  return into;
}
