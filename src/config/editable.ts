import { Composer, CST, type Document, isScalar, Parser } from "yaml";

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
  constructor(source: string) {
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
}
