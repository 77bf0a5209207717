import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

/**
 * The gateway's program as one file of plain JavaScript, as nginx runs it (njs with QuickJS). This module is
 * for the program from its source, as the tests run it: in the one that is built, scripts/build.ts puts the
 * text in its place.
 */
const [file] = buildSync({
  entryPoints: [fileURLToPath(new URL("../services/gateway/program/main.ts", import.meta.url))],
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  // As njs names them.
  alias: { "node:fs": "fs", "node:crypto": "crypto" },
  external: ["fs", "crypto"],
  write: false,
}).outputFiles;

export const GATEWAY_PROGRAM = file?.text ?? "";
