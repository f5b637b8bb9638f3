// A plugin of typedoc: shows what an alias made of a schema or a table comes to, in place of its formula
// (`TableInput<typeof ARCHITECTURES>`). Without imports: typedoc lies in a folder of its own.
const TYPE_ALIAS = 2097152; // ReflectionKind.TypeAlias

export function load(app) {
  const aliases = [];
  app.converter.on('createDeclaration', (context, reflection) => {
    if (reflection.kind !== TYPE_ALIAS) return;
    const type = context.checker.getDeclaredTypeOfSymbol(context.getSymbolFromReflection(reflection));
    aliases.push({ inside: context.withScope(reflection), reflection, type });
  });
  // Aliases get their types after they are created.
  app.converter.on('resolveBegin', () => {
    for (const { inside, reflection, type } of aliases) {
      if (!/typeof |keyof |\[K in/.test(String(reflection.type))) continue;
      // The same type under no name: under its own it would only refer to itself.
      const anonymous = Object.create(type, { aliasSymbol: { value: undefined } });
      reflection.type = inside.converter.convertType(inside, anonymous);
    }
  });
}
