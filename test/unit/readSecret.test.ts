import { expect, test } from "vitest";
import { readSecretByService } from "../../src/secrets/readSecret.js";
import { FakeEngine } from "../support/fakeEngine.js";

/**
 * An engine where the container of a service that was removed a moment ago still runs, with an older secret in it.
 *
 * @param taken how often the name of the service is taken
 */
function swarm(taken = 0) {
  const engine = new FakeEngine();
  const container = (Id: string, service: string) => ({
    Id,
    Labels: {
      "com.docker.swarm.service.name": "forge_htpasswd-reader",
      "com.docker.swarm.service.id": service,
    },
  });
  let left = taken;
  let polls = 0;
  const calls: string[] = [];
  const onCall = (call: string) => {
    calls.push(call);
    if (call !== "GET /containers/json") return;
    engine.containers = [container("old", "old-service")];
    if (++polls > 1) engine.containers.push(container("new", "new-service"));
  };
  const docker = engine.docker(onCall, ([verb, container = ""]) => {
    if (verb === "exec") return container === "old" ? "ann:old" : "ann:new\nbob:new";
    if (left-- <= 0) return "new-service\n";
    return { exitCode: 1, stdout: "", stderr: "service forge_htpasswd-reader already exists" };
  });
  return { docker, calls };
}

test("a secret is read in the container of its own service, and not in one that is about to end", async () => {
  const { docker } = swarm();
  const content = await readSecretByService(docker, "forge", "forge_htpasswd_2", "nginx");
  expect(content?.reveal()).toBe("ann:new\nbob:new\n");
});

test("two that read at the same time read one after the other, and neither removes the service of the other", async () => {
  const { docker, calls } = swarm(2);
  const content = await readSecretByService(docker, "forge", "forge_htpasswd_2", "nginx");
  expect(content?.reveal()).toBe("ann:new\nbob:new\n");
  expect(calls.filter((call) => call.startsWith("DELETE"))).toEqual(["DELETE /services/new-service"]);
});
