/** What nginx runs: scripts/build.ts makes one file of it. */
import fs from "node:fs";
import type { Counts, Memory } from "./nginx.js";
import { gateway } from "./program.js";
import type { FileAccess } from "./registryFiles.js";
import type { Settings } from "./settings.js";

declare const ngx: { shared: { memory: Memory<string>; counts: Counts; manifests: Memory<string> } };

export default gateway(JSON.parse(fs.readFileSync("/etc/nginx/gateway.json", "utf8")) as Settings, {
  memory: ngx.shared.memory,
  counts: ngx.shared.counts,
  secret: fs.readFileSync("/run/secrets/http-secret", "utf8"),
  manifests: ngx.shared.manifests,
  files: fs as unknown as FileAccess,
  now: Date.now,
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
});
