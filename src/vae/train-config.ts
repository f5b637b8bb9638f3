/** The JSON Schema of what `node-vae train --config` takes: options of Vae.create() and of fit(). */
import { z } from 'zod';
import { checkpointSchema, fitOptionsSchema } from '../training/fit-options.js';
import { createSchema } from './options.js';

const configSchema = z.strictObject({
  /** Where this schema is; for editors, ignored here. */
  $schema: z.string().optional(),
  // The command line tells by the data what its rows are.
  model: createSchema.partial({ input: true }).optional(),
  fit: fitOptionsSchema
    .omit({ signal: true, onProgress: true, validation: true, resume: true })
    // Checkpoints lie in the run's own directory where nobody names another.
    .extend({ checkpoint: checkpointSchema.unwrap().partial({ directory: true }).optional() })
    .optional(),
});

interface Described {
  type?: string;
  properties?: Record<string, Described>;
  description?: string;
  anyOf?: Described[];
  [key: string]: unknown;
}

/**
 * Draft 2020-12.
 *
 * @param describe says what an option means, by its name and those of the options it stands in.
 */
export function trainConfigJsonSchema(describe?: (path: readonly string[]) => string | undefined): Described {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // What JSON cannot hold (functions, big integers) stands as a schema of anything.
      if (jsonSchema.anyOf) jsonSchema.anyOf = jsonSchema.anyOf.filter((one) => Object.keys(one).length > 0);
      const names = namesOf(zodSchema as unknown as z.ZodType);
      if (names === undefined) return;
      const whole = { ...jsonSchema };
      for (const key of Object.keys(jsonSchema)) delete (jsonSchema as Described)[key];
      // What is chosen from a table may be named alone.
      jsonSchema.anyOf = [{ type: 'string', enum: names }, whole];
    },
  }) as Described;
  return {
    ...schema,
    title: 'node-vae train --config',
    description: 'Options of Vae.create() under "model" and of fit() under "fit". Flags of the command win over them.',
    ...(describe && { properties: withDescriptions(schema.properties!, describe, []) }),
  };
}

/** Names in a table of things that are chosen by their name or by `type` with options. */
function namesOf(schema: z.ZodType): string[] | undefined {
  if (!(schema instanceof z.ZodPipe) || !(schema.in instanceof z.ZodTransform)) return undefined;
  const { out } = schema;
  if (!(out instanceof z.ZodDiscriminatedUnion)) return undefined;
  return out.options.map((option) => {
    const { type } = (option as z.ZodObject).shape as { type: z.ZodLiteral<string> };
    return type.value;
  });
}

function withDescriptions(
  properties: Record<string, Described>,
  describe: (path: readonly string[]) => string | undefined,
  path: readonly string[],
): Record<string, Described> {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const here = [...path, name];
      const description = describe(here);
      const inner = schema.properties && { properties: withDescriptions(schema.properties, describe, here) };
      return [name, { ...(description && { description }), ...schema, ...inner }];
    }),
  );
}
