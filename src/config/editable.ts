import { isMap, isScalar, parseDocument } from "yaml";

/**
 * The text of a config file with another value in a section. A value that is there is replaced, and every
 * other byte stays. If it is not there, its section may be written anew: comments stay, and spacing may
 * change.
 *
 * @param source text of a valid config file
 * @param value one that needs no quotes
 * @returns undefined if the section is written in a way that has no place for the value, such as an alias
 */
export function withValue(
  source: string,
  [section, key]: readonly [string, string],
  value: string,
): string | undefined {
  const document = parseDocument(source);
  const node = document.getIn([section, key], true);
  if (isScalar(node) && node.range) {
    const [start, end] = node.range;
    const quoted = source.slice(start, end).replace(String(node.value), () => value);
    return source.slice(0, start) + quoted + source.slice(end);
  }
  const found = document.get(section, true);
  if (found === undefined && isMap(document.contents) && !document.contents.flow)
    return `${source.replace(/\n*$/, "\n")}\n${section}:\n  ${key}: ${value}\n`;
  if (found !== undefined && !isMap(found)) return undefined;
  document.setIn([section, key], value);
  return document.toString({ lineWidth: 0 });
}
