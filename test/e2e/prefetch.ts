/** Fetches what the tests need into the folder given, and Docker Engine 29 if a folder for it follows; `run.sh` calls it while there is a network. */
import { execa } from "execa";
import { buildCurrentDebian, buildImageBase } from "../support/currentDebian.js";
import { buildEngine29 } from "../support/engine29.js";
import { buildGoPrograms } from "../support/goPrograms.js";
import { fetchMonitoringPrograms } from "../support/monitoringPrograms.js";
import { makeStandins } from "../support/standIns.js";

const [cacheDir, engine29] = process.argv.slice(2);
if (cacheDir === undefined) throw new Error("prefetch.ts needs the cache folder as its argument.");
await buildGoPrograms(cacheDir, console.log);
if (engine29 !== undefined) await buildEngine29(cacheDir, engine29, console.log);
await buildCurrentDebian(cacheDir, console.log);
await buildImageBase(cacheDir, console.log);
await execa("tsx", ["scripts/programFile.ts", "--fetch"], {
  preferLocal: true,
  stdio: "inherit",
  env: { HEPHAESTUS_CACHE: cacheDir },
});
await fetchMonitoringPrograms(cacheDir, console.log);
await makeStandins({ cacheDir, report: console.log });
