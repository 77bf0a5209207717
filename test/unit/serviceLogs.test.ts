import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Docker, dockerCommand } from "../../src/docker/run.js";
import { readGatewayLog } from "../../src/frontDoor/gatewayLog.js";
import { followServiceLog, readServiceLog } from "../../src/swarm/serviceLogs.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { shortPauses } from "../support/shortPauses.js";
import { named, template } from "./swarmObjects.js";

shortPauses();

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "logs-"));
  vi.stubEnv("PATH", `${folder}:${process.env.PATH}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A task as the engine gives it; a task that waits has no container. */
const task = (ID: string, container = "c", DesiredState = "running", Timestamp = "2026-11-30T08:00:00Z") => ({
  ID,
  ServiceID: "forge_gateway",
  NodeID: "node",
  DesiredState,
  CreatedAt: "2026-11-30T07:00:00Z",
  Spec: template(),
  Status: { State: DesiredState, Timestamp, ContainerStatus: { ContainerID: container } },
});

/**
 * A docker whose `service logs` of a whole service stops in the middle and stays, as the real one does with thousands of lines.
 *
 * @param logs what a shell does for the log of each task
 */
function fakeDocker(tasks: readonly ReturnType<typeof task>[], logs: Readonly<Record<string, string>>) {
  const cases = Object.entries(logs).map(([id, script]) => `${id}) ${script} ;;`);
  writeFileSync(
    join(folder, "docker"),
    `#!/bin/bash
case "$1 $2" in
"service logs") case "\${@: -1}" in
  ${cases.join("\n  ")}
  *) echo "2026-11-30T07:00:00.000000000Z a part"; exec sleep 60 ;;
  esac ;;
esac
`,
  );
  chmodSync(join(folder, "docker"), 0o755);
  return impatient(withTasks(tasks, dockerCommand({})));
}

/** A docker whose engine has a service with these tasks. */
const withTasks = (tasks: readonly object[], docker: Docker): Docker => {
  const engine = new FakeEngine({ services: [named("forge_gateway")], tasks });
  return { ...docker, ask: engine.docker().ask };
};

/** Two seconds without a line are enough for the log that stops. */
const impatient = (docker: Docker): Docker => ({
  ...docker,
  attempt: (args, run) =>
    docker.attempt(args, run?.silence && args.at(-1) === "stops" ? { ...run, silence: 2000 } : run),
});

const say = (time: string, text: string) => `printf '%s\\n' '2026-11-30T${time}.000000000Z ${text}'`;

test("a log is read task by task, in the order of time, from both outputs", async () => {
  const docker = fakeDocker([task("one"), task("two"), task("waits", "")], {
    one: `${say("07:00:01", "a")}; ${say("07:00:03", "c")} >&2`,
    two: `${say("07:00:02", "b")}; seq -f '2026-11-30T07:00:04.000000000Z line %.0f' 20000`,
    waits: "exec sleep 60",
  });
  const { lines, missing } = await readServiceLog(docker, "forge_gateway");
  expect(missing).toEqual([]);
  expect(lines.slice(0, 4).map(({ text }) => text)).toEqual(["a", "b", "c", "line 1"]);
  expect(lines.at(-1)?.text).toBe("line 20000");
});

test("a task whose log stops, or fails, is named, and what came of it is there", async () => {
  const docker = fakeDocker([task("stops"), task("fails"), task("whole")], {
    stops: `${say("07:00:01", "a")}; exec sleep 60`,
    fails: `${say("07:00:02", "b")}; echo 'error from daemon: node is down' >&2; exit 1`,
    whole: say("07:00:03", "c"),
  });
  const { lines, missing } = await readServiceLog(docker, "forge_gateway");
  expect(lines.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  expect(missing.sort()).toEqual([
    "task fails on node node: error from daemon: node is down",
    "task stops on node node: did not answer in time",
  ]);
});

test("tasks that ended before what is asked for are left alone", async () => {
  const docker = fakeDocker(
    [task("old", "c", "shutdown", "2026-11-29T08:00:00Z"), task("new", "c", "shutdown")],
    { old: "exec sleep 60", new: say("07:00:03", "c") },
  );
  const { lines, missing } = await readServiceLog(docker, "forge_gateway", { since: "2026-11-30T00:00:00Z" });
  expect([lines.map(({ text }) => text), missing]).toEqual([["c"], []]);
});

test("the log of the gateway says what is missing, and a client's carriage return begins no line", async () => {
  const request = (agent: string) =>
    `1.2.3.4 "-" [2026-11-30T07:00:00+00:00] "GET /v2/a/manifests/b" 200 1 0.1 "${agent}"`;
  const docker = fakeDocker([task("one"), task("stops")], {
    one: `printf '2026-11-30T07:00:00.000000000Z %s\\r%s\\n' '${request("x")}' '${request("forged")}'; ${say("07:00:00", request("y"))}`,
    stops: "exec sleep 60",
  });
  const agents: string[] = [];
  const { missing } = await readGatewayLog(docker, "forge", undefined, ({ userAgent }) =>
    agents.push(userAgent),
  );
  expect(missing).toEqual(["task stops on node node: did not answer in time"]);
  expect(agents).toEqual(["y"]);
});

test("a last line without a line break is there, and a docker that is missing is named", async () => {
  const docker = fakeDocker([task("one")], { one: "printf '2026-11-30T07:00:00.000000000Z end'" });
  const { lines } = await readServiceLog(docker, "forge_gateway");
  expect(lines.map(({ text }) => text)).toEqual(["end"]);
  vi.stubEnv("PATH", "/nonexistent");
  await expect(docker.attempt(["version"], { onLine: () => {} })).rejects.toThrow(
    "the docker command was not found",
  );
});

test("a service without tasks has no log, and that is said", async () => {
  expect(await readServiceLog(fakeDocker([], {}), "forge_gateway")).toEqual({
    lines: [],
    missing: ["forge_gateway has no tasks"],
  });
});

test("a log that is followed goes on with new tasks, until it is interrupted", async () => {
  fakeDocker([task("one"), task("two")], {
    one: `${say("07:00:01", "a")}; exec sleep 60`,
    two: `${say("07:00:02", "b")}; exec sleep 60`,
  });
  const tasks: object[] = [task("one")];
  const engine = new FakeEngine({ services: [named("forge_gateway")], tasks });
  const controller = new AbortController();
  const lines: string[] = [];
  const docker = dockerCommand({ signal: controller.signal });
  const following = followServiceLog(
    { ...docker, ask: engine.docker(() => controller.signal.throwIfAborted()).ask },
    "forge_gateway",
    {},
    ({ text }) => lines.push(text),
  );
  const ended = expect(following).rejects.toThrow(/abort/);
  await expect.poll(() => lines, { timeout: 5000 }).toEqual(["a"]);
  engine.objects.tasks.push({ ...task("two") });
  await expect.poll(() => lines, { timeout: 10_000 }).toEqual(["a", "b"]);
  controller.abort();
  await ended;
});
