import { Composer, CST, type Document, isMap, isScalar, Parser, type YAMLMap } from "yaml";

/** A value that takes the place of another one. */
export interface Edit {
  path: readonly string[];
  value: string;
}

/** A config file whose values can be changed while every other byte of it stays. */
export class EditableConfig {
  private readonly tokens: CST.Token[];
  readonly document: Document;

  /** @param source text of one YAML document that is valid */
  constructor(private readonly source: string) {
    this.tokens = [...new Parser().parse(source)];
    const composer = new Composer({ keepSourceTokens: true });
    this.document = [...composer.compose(this.tokens, true, source.length)][0] as Document;
  }

  /** The text with other values, quoted as they were. */
  withValues(edits: readonly Edit[]): string {
    for (const { path, value } of edits) {
      const node = this.document.getIn(path, true);
      if (isScalar(node) && CST.isScalar(node.srcToken)) CST.setScalarValue(node.srcToken, value);
    }
    return this.tokens.map((token) => CST.stringify(token)).join("");
  }

  /**
   * The text with one value in a section, which is added where it is not there.
   *
   * @returns undefined where the section is written in a way that has no place for it, such as an alias
   */
  withSetting(section: string, key: string, value: string): string | undefined {
    const path = [section, key];
    if (isScalar(this.document.getIn(path, true))) return this.withValues([{ path, value }]);
    const map: unknown = this.document.get(section, true);
    if (isMap(map)) return this.withFirst(map, key, value);
    const root = this.document.contents;
    if (map !== undefined || !isMap(root)) return undefined;
    if (root.flow)
      return this.withFirst(root, section, `{ ${JSON.stringify(key)}: ${JSON.stringify(value)} }`);
    return `${this.source.replace(/\n*$/, "\n")}\n${section}:\n  ${key}: ${value}\n`;
  }

  /** The text with a pair in front of a map's other pairs. */
  private withFirst(map: YAMLMap, key: string, value: string): string | undefined {
    const first = map.items[0]?.key;
    const at = isScalar(first) ? first.range?.[0] : undefined;
    if (at === undefined) return undefined;
    const indent = /[^\n]*$/.exec(this.source.slice(0, at))?.[0] ?? "";
    const pair = map.flow
      ? `${JSON.stringify(key)}: ${value.startsWith("{") ? value : JSON.stringify(value)}, `
      : `${key}: ${value}\n${indent}`;
    return this.source.slice(0, at) + pair + this.source.slice(at);
  }
}
