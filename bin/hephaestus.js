#!/usr/bin/env node
// Without module.enableCompileCache(), which would save 30 ms: it runs what it finds in a folder of /tmp, and any user may have made that.
import { main } from "../dist/hephaestus.js";

process.exitCode = await main(process.argv);
