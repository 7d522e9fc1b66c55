import { join } from 'node:path';
import ts from 'typescript';
import { code, page } from './markdown.ts';

/**
 * The reference of the client, from what its entry points export and what stands above it: a function with its examples,
 * then the types. What is declared elsewhere is shown as it is declared, without its body.
 */
const entries = [
  ['index.ts', '@lazuli/client'],
  ['azure.ts', '@lazuli/client/azure'],
  ['databricks.ts', '@lazuli/client/databricks'],
] as const;

const intro = `What \`@lazuli/client\` exports, from its source. [The guide](../guides/typescript.md) tells how it goes together. Each example runs as a test, in a folder with
the files that it names and with \`MLFLOW_TRACKING_URI\` set; what it uses is imported from the package, \`runtime\` is a runtime for ONNX. Browsers have ${code('createTracking')}'s functions without
files, environment and ambient runs. The methods of ${code('Client')} are MLflow's endpoints, listed in [endpoints](endpoints.md).`;

export function clientPage(root: string): string {
  const { program, checker } = readClient(root);
  const shown = new Set<string>();
  const chapters = entries.map(([file, name]) => {
    const source = program.getSourceFile(join(root, 'packages/client/src', file));
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${file} is no module.`);
    const exported = checker
      .getExportsOfModule(module)
      .filter((symbol) => !shown.has(symbol.name))
      .map((symbol) => documented(symbol, checker))
      .sort((one, two) => (one.name < two.name ? -1 : 1));
    for (const symbol of exported) shown.add(symbol.name);
    const [values, types] = [exported.filter(({ isType }) => !isType), exported.filter(({ isType }) => isType)];
    return [`## ${code(name)}`, ...values.map(section), '### Types', ...types.map(section)].join('\n\n');
  });
  return page('The TypeScript client', intro, ...chapters);
}

interface Documented {
  readonly name: string;
  readonly isType: boolean;
  readonly text: string;
  readonly declaration: string;
  readonly examples: readonly string[];
}

/** The examples in the docstrings of the client, by what they stand above. */
export function clientExamples(root: string): ReadonlyMap<string, readonly string[]> {
  const { program, checker } = readClient(root);
  const found = new Map<string, readonly string[]>();
  for (const [file] of entries) {
    const source = program.getSourceFile(join(root, 'packages/client/src', file));
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
    for (const symbol of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const { name, examples } = documented(symbol, checker);
      if (examples.length > 0) found.set(name, examples);
    }
  }
  return found;
}

function readClient(root: string) {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const program = ts.createProgram(
    entries.map(([file]) => join(root, 'packages/client/src', file)),
    options,
  );
  return { program, checker: program.getTypeChecker() };
}

function documented(exported: ts.Symbol, checker: ts.TypeChecker): Documented {
  const alias = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const symbol = propertyBehind(alias, checker);
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined) throw new Error(`${exported.name} is not declared.`);
  // A function that is named as a type has its docstring there.
  const typed =
    ts.isPropertySignature(declaration) && declaration.type !== undefined && ts.isTypeReferenceNode(declaration.type);
  const behind = typed ? checker.getSymbolAtLocation(declaration.type.typeName) : undefined;
  const sources = [symbol, ...(behind === undefined ? [] : [resolved(behind, checker)])];
  const text =
    sources.map((one) => ts.displayPartsToString(one.getDocumentationComment(checker))).find((one) => one !== '') ?? '';
  const examples = sources
    .flatMap((one) => one.getJsDocTags(checker))
    .filter(({ name }) => name === 'example')
    .map((tag) => /^```ts\n(.*?)\n```$/s.exec(ts.displayPartsToString(tag.text))?.[1] ?? '')
    .filter((example) => example !== '');
  const isType = (symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias)) !== 0;
  return { name: exported.name, isType, text, declaration: declared(exported.name, declaration), examples };
}

function resolved(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** `export const { startRun } = tracking` exports a property of the type of `tracking`. */
function propertyBehind(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined || !ts.isBindingElement(declaration)) return symbol;
  return checker.getPropertyOfType(checker.getTypeAtLocation(declaration.parent), symbol.name) ?? symbol;
}

function declared(name: string, node: ts.Declaration): string {
  const source = node.getSourceFile();
  const text = (from: ts.Node): string => from.getText(source);
  if (ts.isPropertySignature(node)) return `const ${name}: ${node.type === undefined ? 'unknown' : text(node.type)}`;
  if (ts.isFunctionDeclaration(node)) {
    const end = node.body?.getStart(source) ?? node.getEnd();
    return source.text
      .slice(node.getStart(source), end)
      .trim()
      .replace(/^export /, '');
  }
  if (ts.isClassDeclaration(node)) {
    const members = node.members.filter(
      (member) =>
        !ts.canHaveModifiers(member) ||
        !ts.getModifiers(member)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword),
    );
    const heads = members.map((member) => {
      const body = ts.isConstructorDeclaration(member) || ts.isMethodDeclaration(member) ? member.body : undefined;
      return `  ${source.text
        .slice(member.getStart(source), body?.getStart(source) ?? member.getEnd())
        .trim()
        .replace(/;$/, '')};`;
    });
    const heritage = node.heritageClauses?.map(text).join(' ') ?? '';
    return `class ${name} ${heritage} {\n${heads.join('\n')}\n}`;
  }
  if (ts.isVariableDeclaration(node)) return `const ${name}${node.type === undefined ? '' : `: ${text(node.type)}`}`;
  if (ts.isTypeAliasDeclaration(node) || ts.isInterfaceDeclaration(node)) {
    // What is said of each member is part of what a reader wants to know; examples are shown above.
    return text(node)
      .replace(/^export /, '')
      .replaceAll(/^ *\* @example\n(?:^ *\*(?!\/).*\n)*/gm, '')
      .replaceAll(/^ *\*\n(?= *\*\/)/gm, '');
  }
  return text(node);
}

function section({ name, text, declaration, examples }: Documented): string {
  const blocks = [`#### ${code(name)}`, ...(text === '' ? [] : [text]), fenced(declaration), ...examples.map(fenced)];
  return blocks.join('\n\n');
}

function fenced(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``;
}
