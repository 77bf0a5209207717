#!/usr/bin/env node
import { main } from "../dist/hephaestus.js";

process.exitCode = await main(process.argv);
