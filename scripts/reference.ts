/** Writes the reference of hephaestus.yaml into the README: `npm run reference`. */
import { readFileSync, writeFileSync } from "node:fs";
import { withReference } from "../src/config/reference.js";

const README = new URL("../README.md", import.meta.url);
writeFileSync(README, withReference(readFileSync(README, "utf8")));
