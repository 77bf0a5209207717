import { parse } from "yaml";
import type { Session } from "../operation/stackSession.js";
import { type ComposeFile, FileMode, Interpolated } from "../services/composeModel.js";
import { COMPOSE_FILE } from "../stack.js";

/**
 * The model of a compose file that Hephaestus rendered, the inverse of `composeText`. A deploy and a rollback
 * give docker a file, and the file of a record may come from another version of this program: what it says is
 * what happens. Pure.
 */
export const readComposeFile = (text: string): ComposeFile =>
  parse(text, modelValue, { version: "1.1" }) as ComposeFile;

function modelValue(key: unknown, value: unknown): unknown {
  if (typeof value === "number" && key === "mode") return new FileMode(value);
  if (typeof value !== "string") return value;
  const isInterpolated = value.replaceAll("$$", "").includes("$");
  return isInterpolated ? new Interpolated(value) : value.replaceAll("$$", "$");
}

/** Full names of the services that the compose file of a stack has. Pure. */
export const wantedServices = ({ config, files }: Pick<Session, "config" | "files">): Set<string> => {
  const { services } = readComposeFile(files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "");
  return new Set(Object.keys(services).map((name) => `${config.stack}_${name}`));
};
