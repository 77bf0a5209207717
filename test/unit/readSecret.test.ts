import { expect, test } from "vitest";
import type { Docker } from "../../src/docker/run.js";
import { readSecretByService } from "../../src/secrets/readSecret.js";

/** An engine where the container of a service that was removed a moment ago still runs, with an older secret in it. */
function engine(): Pick<Docker, "run" | "attempt"> {
  let polls = 0;
  const answer = (args: readonly string[]): string => {
    const line = args.join(" ");
    if (line.startsWith("info")) return "node-1";
    if (line.startsWith("service create")) return "new-service\n";
    if (line.startsWith("ps") && line.includes("service.id=new-service"))
      return ++polls > 1 ? "new-container" : "";
    if (line.startsWith("ps")) return "old-container";
    if (line.startsWith("exec")) return line.includes("old-container") ? "ann:old" : "ann:new\nbob:new";
    return "";
  };
  return {
    run: async (args) => answer(args),
    attempt: async (args) => ({ exitCode: 0, stdout: answer(args), stderr: "" }),
  } as Docker;
}

test("a secret is read in the container of its own service, and not in one that is about to end", async () => {
  const content = await readSecretByService(engine() as Docker, "forge", "forge_htpasswd_2", "nginx");
  expect(content?.reveal()).toBe("ann:new\nbob:new\n");
});
