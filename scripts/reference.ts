/** Writes the reference of hephaestus.yaml into the README: `npm run reference`; with --check it only says if it is stale. */
import { readFileSync, writeFileSync } from "node:fs";
import { withReference } from "../src/config/reference.js";

const README = new URL("../README.md", import.meta.url);
const present = readFileSync(README, "utf8");
const wanted = withReference(present);
if (!process.argv.includes("--check")) writeFileSync(README, wanted);
else if (present !== wanted) {
  process.stderr.write("README.md: the reference is stale\n    Write it with: npm run reference\n");
  process.exitCode = 1;
}
