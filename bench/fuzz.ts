/**
 * Sends many more fuzzed requests to a gateway with rules than the tests do, and prints how each round ends:
 * npm run fuzz -- 200000. A second number is the seed. Several at once, each with a seed of its own, end earlier.
 */
import type { Image } from "../test/e2e/attacks/image.js";
import type { Endpoint } from "../test/e2e/attacks/raw.js";
import { fuzzRules } from "../test/gateway/access/fuzz.js";
import { startRuledStack } from "../test/gateway/access/ruledStack.js";
import { startGateways } from "../test/gateway/gateways.js";

const ROUND = 5000;
const [most = 200_000, seed = 1] = process.argv.slice(2).map(Number);

const ruled = await startRuledStack({ image: "registry:3.1.2" });
let sent = 0;
let failed = 0;
try {
  const image = ruled.images.get("other") as Image;
  const [site] = await startGateways(ruled.stack, [{ ...ruled.files, around: "stack" }], image);
  for (let round = 0; sent < most; round++) {
    const fuzzed = { ...ruled.fuzzed, gateway: site?.endpoint as Endpoint };
    const result = await fuzzRules(fuzzed, seed * 100_000 + round, Math.min(ROUND, most - sent));
    sent += result.sent;
    failed += result.violations.length + result.faults.length;
    console.log(
      `seed ${seed}: ${sent} requests, ${failed} violations and faults, ${JSON.stringify(result.statuses)}`,
    );
    for (const line of [...result.violations, ...result.faults]) console.log(line);
  }
} finally {
  await ruled.stop();
}
process.exitCode = failed > 0 ? 1 : 0;
