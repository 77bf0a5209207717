import { Chalk } from "chalk";

/** Colours for a stream: none without a terminal, or with NO_COLOR (no-color.org) set. */
export function coloursFor(stream: NodeJS.WriteStream) {
  const plain = !stream.isTTY || (process.env.NO_COLOR ?? "") !== "";
  return plain ? new Chalk({ level: 0 }) : new Chalk();
}
