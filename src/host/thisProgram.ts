import { existsSync, realpathSync } from "node:fs";
import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { isInImage } from "../docker/endpoint.js";
import { PACKAGE } from "../packageFiles.js";

/** What starts this very program, and in which form it is here. */
export interface ThisProgram {
  kind: "container image" | "program file" | "source checkout" | "npm package";
  /** Whether it is one file with Node in it. */
  isFile: boolean;
  /** That file, or the folder of the package. */
  path: string;
  /** What this process runs on, as images name it. */
  platform: string;
  /** The words that start it, by absolute paths. */
  command: readonly string[];
}

export function thisProgram(): ThisProgram {
  const { execPath, argv } = process;
  const isFile = isSea();
  const platform = `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`;
  if (isFile) {
    const kind = isInImage() ? "container image" : "program file";
    return { kind, isFile, path: execPath, platform, command: [execPath] };
  }
  return {
    // Only a checkout has the sources.
    kind: existsSync(new URL("src/cli.ts", PACKAGE)) ? "source checkout" : "npm package",
    isFile,
    path: fileURLToPath(PACKAGE),
    platform,
    command: [execPath, realpathSync(argv[1] ?? "")],
  };
}
