import { Document, Scalar, visit } from "yaml";
import { type ComposeFile, FileMode, Interpolated } from "./composeModel.js";

/**
 * A compose model as text: stable order (that of the model), no line folding, YAML 1.1 quoting, because
 * Docker's parser reads `yes`, `on` and `0400` the old way. Every `$` is doubled, except where compose shall
 * interpolate.
 */
export function composeText(model: ComposeFile, header: string): string {
  const document = new Document(literal(model), { version: "1.1", aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, scalar) {
      if (typeof scalar.value === "string" && GO_NUMBER.test(scalar.value)) scalar.type = "QUOTE_DOUBLE";
    },
  });
  document.commentBefore = ` ${header}`;
  return document
    .toString({ lineWidth: 0, directives: false, indentSeq: true })
    .replace(/^(?=(?:services|networks|configs|secrets|volumes):$)/gm, "\n");
}

/** Numbers of Go (0o17, 0X1f, 1e1_0, -_1) that YAML 1.1 takes for text: Docker's parser would change them. */
const GO_NUMBER = /^(?:[-+]?(?:0_*[box][\da-f_]*|[\d_.]+e[-+\d_]+)|[-+]_.*)$/i;

/** The model as plain data in which a literal `$` is `$$`. Docker interpolates values, and no keys. */
function literal(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("$", "$$$$");
  if (value instanceof Interpolated) return value.text;
  if (value instanceof FileMode) {
    const mode = new Scalar(value.bits);
    mode.format = "OCT";
    return mode;
  }
  if (Array.isArray(value)) return value.map(literal);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, literal(inner)]));
  }
  return value;
}
