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

test("two that read at the same time read one after the other, and neither removes the service of the other", async () => {
  const docker = engine() as Docker;
  const asked: string[] = [];
  let taken = 2;
  const attempt: Docker["attempt"] = async (args) => {
    asked.push(args.slice(0, 3).join(" "));
    if (args[1] !== "create" || taken-- <= 0) return docker.attempt(args);
    return { exitCode: 1, stdout: "", stderr: "service forge_htpasswd-reader already exists" } as Awaited<
      ReturnType<Docker["attempt"]>
    >;
  };
  const content = await readSecretByService({ ...docker, attempt }, "forge", "forge_htpasswd_2", "nginx");
  expect(content?.reveal()).toBe("ann:new\nbob:new\n");
  expect(asked.filter((line) => line.startsWith("service rm"))).toEqual(["service rm new-service"]);
});
