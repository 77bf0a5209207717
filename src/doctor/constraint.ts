/**
 * The constraint of a provider of Traefik, judged as Traefik does. Source: traefik/traefik,
 * pkg/provider/constraints/constraints_labels.go; lines 2 and 3 alike.
 */

export type Labels = Readonly<Record<string, string>>;

type Expression =
  | { kind: "and" | "or"; parts: [Expression, Expression] }
  | { kind: "not"; part: Expression }
  | { kind: "label"; name: string; value: string }
  | { kind: "regex"; name: string; pattern: RegExp };

/**
 * Whether a service with these labels fits a constraint.
 *
 * @returns undefined where the expression is none that is known here
 */
export function matchesConstraint(constraint: string, labels: Labels): boolean | undefined {
  if (constraint === "") return true;
  const expression = parse(constraint);
  return expression && matches(expression, labels);
}

/** The labels that a service lacks for a constraint, where it asks for each of them by name and value. */
export function labelsWanted(constraint: string, labels: Labels): Record<string, string> {
  const wanted: Record<string, string> = {};
  const isConjunction = (expression: Expression): boolean => {
    if (expression.kind === "and") return expression.parts.every(isConjunction);
    if (expression.kind !== "label") return false;
    if (labels[expression.name] !== expression.value) wanted[expression.name] = expression.value;
    return true;
  };
  const expression = parse(constraint);
  return expression && isConjunction(expression) ? wanted : {};
}

function matches(expression: Expression, labels: Labels): boolean {
  switch (expression.kind) {
    case "and":
      return expression.parts.every((part) => matches(part, labels));
    case "or":
      return expression.parts.some((part) => matches(part, labels));
    case "not":
      return !matches(expression.part, labels);
    case "label":
      // A label that is not there counts as empty.
      return (labels[expression.name] ?? "") === expression.value;
    case "regex":
      return expression.pattern.test(labels[expression.name] ?? "");
  }
}

const TOKEN = /\s*(?:(&&|\|\||[!(),]|[A-Za-z]\w*)|`([^`]*)`|"((?:[^"\\]|\\.)*)")/y;

type Token = { sign: string } | { text: string };

function parse(source: string): Expression | undefined {
  const tokens = tokensOf(source);
  if (tokens === undefined) return undefined;
  const takes = (sign: string): boolean => {
    const [next] = tokens;
    if (next === undefined || !("sign" in next) || next.sign !== sign) return false;
    tokens.shift();
    return true;
  };
  const word = (): string | undefined => {
    const next = tokens.shift();
    return next && "text" in next ? next.text : undefined;
  };
  const chain = (sign: string, kind: "and" | "or", inner: () => Expression | undefined) => () => {
    let left = inner();
    while (left && takes(sign)) {
      const right = inner();
      left = right && { kind, parts: [left, right] };
    }
    return left;
  };
  const call = (): Expression | undefined => {
    const kind = ["Label", "LabelRegex"].find(takes);
    if (kind === undefined || !takes("(")) return undefined;
    const name = word();
    const value = takes(",") ? word() : undefined;
    if (name === undefined || value === undefined || !takes(")")) return undefined;
    if (kind === "Label") return { kind: "label", name, value };
    const pattern = regexOf(value);
    return pattern && { kind: "regex", name, pattern };
  };
  const single = (): Expression | undefined => {
    if (takes("!")) {
      const part = single();
      return part && { kind: "not", part };
    }
    if (!takes("(")) return call();
    const inner = either();
    return takes(")") ? inner : undefined;
  };
  const either = chain("||", "or", chain("&&", "and", single));
  const whole = either();
  return tokens.length === 0 ? whole : undefined;
}

function tokensOf(source: string): Token[] | undefined {
  const tokens: Token[] = [];
  const text = source.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const found = TOKEN.exec(text);
    if (found === null) return undefined;
    const [, sign, plain, quoted] = found;
    tokens.push(sign === undefined ? { text: plain ?? (quoted ?? "").replace(/\\(.)/g, "$1") } : { sign });
  }
  return tokens;
}

/** Go's expressions are nearly those of JavaScript; one that is none here is not judged. */
function regexOf(source: string): RegExp | undefined {
  try {
    return new RegExp(source);
  } catch {
    return undefined;
  }
}
