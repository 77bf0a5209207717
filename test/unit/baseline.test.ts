import { describe, expect, test } from "vitest";
import { responseBody } from "../../src/docker/engineApi.js";
import type { ServiceSpec, SwarmService } from "../../src/docker/objects.js";
import type { Docker, RunOptions } from "../../src/docker/run.js";
import { restoreBaseline } from "../../src/operation/baseline.js";
import { shortPauses } from "../support/shortPauses.js";
import { template } from "./swarmObjects.js";

shortPauses();

const spec = (name: string, image: string): ServiceSpec => ({
  Name: `forge_${name}`,
  Labels: { "hephaestus.stack": "forge", "com.docker.stack.namespace": "forge" },
  TaskTemplate: template(image),
  Mode: { Replicated: { Replicas: 1 } },
});

/** An engine as `docker system dial-stdio` reaches it. */
function fakeEngine(
  services: SwarmService[],
  trouble: (request: string) => string | undefined = () => undefined,
) {
  const requests: string[] = [];
  const answer = (status: string, body: unknown) =>
    `HTTP/1.0 ${status}\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(body)}`;
  const find = (key: string) =>
    services.find(({ ID, Spec }) => ID === key || Spec.Name === key) as SwarmService;
  const serve = (request: string) => {
    const [line = ""] = request.split("\r\n");
    const body = request.split("\r\n\r\n")[1] ?? "";
    requests.push(line.replace(" HTTP/1.0", "").replace(/\?filters=.*/, ""));
    const message = trouble(line);
    if (message !== undefined) return answer("500 Internal Server Error", { message });
    if (line.startsWith("GET /v1.41/services")) return answer("200 OK", services);
    if (line.startsWith("POST /v1.41/services/create")) {
      const Spec = JSON.parse(body) as ServiceSpec;
      services.push({ ID: Spec.Name, Version: { Index: 1 }, Spec });
      return answer("201 Created", { ID: Spec.Name });
    }
    const [, id = "", version, rollback] =
      /^POST \/v1\.41\/services\/(\w+)\/update\?version=(\d+)(&rollback=previous)? /.exec(line) ?? [];
    const service = find(id);
    if (service.Version.Index !== Number(version))
      return answer("500 x", { message: "update out of sequence" });
    const next = rollback ? service.PreviousSpec : (JSON.parse(body) as ServiceSpec);
    Object.assign(service, {
      PreviousSpec: service.Spec,
      Spec: next,
      Version: { Index: Number(version) + 1 },
    });
    return answer("200 OK", { Warnings: null });
  };
  const run = async (args: readonly string[], options: RunOptions = {}) => {
    if (args[0] === "version") return JSON.stringify({ ApiVersion: "1.41" });
    if (args[0] === "system") return serve(String(options.input));
    requests.push(args.join(" "));
    if (args[1] === "rm") services.splice(services.indexOf(find(args[2] ?? "")), 1);
    return "";
  };
  const docker: Docker = {
    run,
    attempt: async (args, options) => ({ exitCode: 0, stdout: await run(args, options), stderr: "" }),
  };
  return {
    docker,
    requests,
    specs: () => services.map(({ Spec }) => Spec).sort((a, b) => (a.Name < b.Name ? -1 : 1)),
  };
}

const before = [spec("gateway", "nginx:1"), spec("reader", "registry:1"), spec("registry", "registry:1")];
const stored = (ID: string, Spec: ServiceSpec, PreviousSpec?: ServiceSpec): SwarmService => ({
  ID,
  Version: { Index: 7 },
  Spec,
  ...(PreviousSpec ? { PreviousSpec } : {}),
});

describe("going back", () => {
  test("gives each service its spec from before, whatever the engine has as the previous one", async () => {
    const [gateway, , registry] = before as [ServiceSpec, ServiceSpec, ServiceSpec];
    const broken = spec("registry", "registry:broken");
    const { docker, requests, specs } = fakeEngine([
      // A second attempt made the broken spec the previous one.
      stored("r1", { ...broken, Mode: { Replicated: { Replicas: 2 } } }, broken),
      stored("g1", { ...gateway, Labels: { ...gateway.Labels, more: "yes" } }, gateway),
      stored("u1", spec("registry-ui", "ui:1")),
    ]);
    expect(await restoreBaseline(docker, "forge", before)).toEqual([]);
    expect(specs()).toEqual(before);
    expect(requests).toEqual([
      "GET /v1.41/services",
      "POST /v1.41/services/r1/update?version=7",
      "POST /v1.41/services/g1/update?version=7&rollback=previous",
      "service rm forge_registry-ui",
      "POST /v1.41/services/create",
      "GET /v1.41/services",
    ]);
    expect(registry.Mode).toEqual({ Replicated: { Replicas: 1 } });
  });

  test("does nothing where the engine went back by itself, and touches no service of others", async () => {
    const foreign = { ...spec("web", "x"), Labels: { "com.docker.stack.namespace": "forge" } };
    const { docker, requests } = fakeEngine([
      ...before.map((one, index) => stored(`s${index}`, one)),
      stored("w1", foreign),
    ]);
    expect(await restoreBaseline(docker, "forge", before)).toEqual([]);
    expect(requests).toEqual(["GET /v1.41/services"]);
  });

  test("looks again where the engine changed the service at the same time", async () => {
    let refusals = 1;
    const { docker, specs } = fakeEngine([stored("r1", spec("registry", "broken"))], (line) =>
      line.includes("/update") && refusals-- > 0 ? "update out of sequence" : undefined,
    );
    expect(await restoreBaseline(docker, "forge", before.slice(2))).toEqual([]);
    expect(specs()).toEqual(before.slice(2));
  });

  test("says in the engine's words what it refuses", async () => {
    const { docker } = fakeEngine([stored("r1", spec("registry", "broken"))], (line) =>
      line.includes("/update") ? "secret forge_htpasswd_1 not found" : undefined,
    );
    expect(await restoreBaseline(docker, "forge", before.slice(2))).toEqual([
      "forge_registry: secret forge_htpasswd_1 not found",
    ]);
  });
});

test("an answer of the engine is its body, or an error in its words", () => {
  expect(responseBody("GET /x", 'HTTP/1.0 200 OK\r\nA: b\r\n\r\n["a\\r\\n\\r\\nb"]')).toBe(
    '["a\\r\\n\\r\\nb"]',
  );
  expect(() => responseBody("GET /x", 'HTTP/1.1 409 Conflict\r\n\r\n{"message":"is in use"}')).toThrow(
    "is in use",
  );
  expect(() => responseBody("GET /x", "HTTP/1.1 403 Forbidden\r\n\r\nno")).toThrow("no");
  expect(() => responseBody("GET /x", "")).toThrow("was answered with nothing");
});
