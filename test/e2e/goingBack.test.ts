import { chmod, mkdir, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import { EngineProxy } from "./engineProxy.js";
import { type Changes, CREDENTIALS, DEPLOY, PASSWORD, swarmObjects, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, OPS_SCRIPTS, Workspace } from "./workspace.js";

/** After a deploy that failed, whatever it was that failed, each service has exactly the spec that it had before. */

const swarm = useSwarm();
const TIMEOUT = 300_000;
let forge: Workspace;

beforeAll(async () => {
  forge = await Workspace.create("forge", 5000, 8080);
  await writeConfig(forge, swarm);
  await forge.hephaestus(["render"]);
  const run = await forge.hephaestus(DEPLOY, { env: CREDENTIALS });
  expectOk(run);
});

afterAll(() => forge.destroy());

/** The spec of each service, by name. */
async function specs(): Promise<Record<string, unknown>> {
  const names = (await forge.docker("stack", "services", "--format", "{{.Name}}", "forge")).stdout.split(
    "\n",
  );
  const { stdout } = await forge.docker("service", "inspect", ...names);
  const services = JSON.parse(stdout) as Array<{ Spec: { Name: string } }>;
  return Object.fromEntries(services.map(({ Spec }) => [Spec.Name, Spec]));
}

/** A config whose registry never starts, and which changes all kinds of settings of the others: ports, labels, replicas. */
const BROKEN = {
  root: { ports: { registry: 5000, ui: 8090 } },
  registry: { replicas: 2, delete: true, resources: { reservations: { memory: "900G" } } },
  gateway: { resources: { limits: { memory: "256M" } } },
  ui: { title: "Another" },
} satisfies Changes;

async function writeBroken(changes: Changes = BROKEN): Promise<void> {
  await writeConfig(forge, swarm, changes);
  await forge.hephaestus(["render"]);
}

async function expectSame(before: Record<string, unknown>): Promise<void> {
  expect(await specs()).toEqual(before);
  const authorization = basicValue(USER, PASSWORD);
  const login = () => fetch(`${forge.registryUrl}/auth/token`, { headers: { authorization } });
  await expect
    .poll(async () => (await login().catch(() => undefined))?.status, { timeout: 30_000 })
    .toBe(200);
  expect((await fetch(forge.uiUrl)).status).toBe(200);
}

/** A docker before the real one; `$@` is the call, and `$REAL` the real one. */
async function wrapper(script: string): Promise<Record<string, string>> {
  const folder = `${forge.folder}/wrapper`;
  await mkdir(folder, { recursive: true });
  const { stdout: real } = await execa("sh", ["-c", "command -v docker"]);
  await writeFile(`${folder}/docker`, `#!/bin/sh\nREAL=${real}\n${script}\n`);
  await chmod(`${folder}/docker`, 0o755);
  return { PATH: `${folder}:${process.env.PATH}` };
}

test("after a second attempt that fails like the first", { timeout: TIMEOUT }, async () => {
  const before = await specs();
  const objects = await swarmObjects(forge);
  await writeBroken();
  const proxy = await EngineProxy.open(forge.folder, swarm.dockerHost);
  // Swarm's word for the missing memory, as the fault after which deploy tries once more.
  proxy.rewrite = (body) =>
    body.replace(/no suitable node \([^)]*\)/g, "unable to remount dir as readonly: device or resource busy");
  const run = await forge.hephaestus([...DEPLOY, "--timeout", "6"], {
    env: { ...CREDENTIALS, ...(await wrapper(`${proxy.shell}\nexec "$REAL" "$@"`)) },
  });
  proxy.close();
  expect(run.exitCode, run.all).toBe(ExitCode.rollout);
  expect(run.all).toContain("not converged within 6 seconds");
  expect(run.stderr).toContain("The previous state runs again.");
  await expectSame(before);
  expect(await swarmObjects(forge)).toEqual(objects);
});

test("after a deploy that was killed or interrupted, and a second one that fails", {
  timeout: TIMEOUT,
}, async () => {
  const before = await specs();
  const objects = await swarmObjects(forge);
  await writeBroken();
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    const cut = await forge.hephaestus([...DEPLOY, "--json"], {
      env: CREDENTIALS,
      killSignalAfter: { signal, when: /insufficient resources/ },
    });
    expect(cut.exitCode).not.toBe(ExitCode.ok);
    if (signal === "SIGINT") expect(cut.exitCode).toBe(ExitCode.interrupted);
    expect(await specs()).not.toEqual(before);
  }
  const run = await forge.hephaestus([...DEPLOY, "--timeout", "6"], { env: CREDENTIALS });
  expect(run.exitCode, run.all).toBe(ExitCode.rollout);
  expect(run.stderr).toContain("not converged within 6 seconds");
  expect(run.stderr).toContain("insufficient resources");
  expect(run.stderr).toContain("The previous state runs again.");
  await expectSame(before);
  expect(await swarmObjects(forge)).toEqual(objects);
});

test("after docker stack deploy itself failed half-way", { timeout: TIMEOUT }, async () => {
  const before = await specs();
  // The gateway stays as it is: taken back while it waits for its own port, it would be replaced a minute later only, since the Swarm
  // waits for the task that was never placed (github.com/moby/swarmkit, manager/orchestrator/restart: defaultOldTaskTimeout).
  const { root, ui, registry } = BROKEN;
  await writeBroken({ root, ui, registry: { resources: registry.resources } });
  const run = await forge.hephaestus(DEPLOY, {
    env: {
      ...CREDENTIALS,
      ...(await wrapper(`case "$1 $2" in
  "stack deploy") "$REAL" "$@"; echo "the connection is lost" >&2; exit 1 ;;
esac
exec "$REAL" "$@"`)),
    },
  });
  expect(run.exitCode, run.all).toBe(ExitCode.rollout);
  expect(run.stderr).toMatch(/the connection is lost(?:.|\n)*The previous state runs again\./);
  await expectSame(before);
});

test("after the engine took back a part by itself", { timeout: TIMEOUT }, async () => {
  const before = await specs();
  await writeBroken({
    root: { ports: { registry: 5000, ui: 8090 } },
    registry: { image: "hephaestus-standin/registry:2.99" },
    ui: { title: "Another" },
  });
  const run = await forge.hephaestus([...DEPLOY, "--timeout", "60"], { env: CREDENTIALS });
  expect(run.exitCode, run.all).toBe(ExitCode.rollout);
  expect(run.stderr).toContain("The previous state runs again.");
  await expectSame(before);
});

test("deploy.sh says what failed, and the next one that works repairs it", { timeout: TIMEOUT }, async () => {
  await writeBroken();
  const env = { ...CREDENTIALS, HEPHAESTUS_RESOLVE_IMAGE: "never", HEPHAESTUS_TIMEOUT: "6" };
  const script = [`${OPS_SCRIPTS}deploy.sh`, "forge", "docker-compose.yml"];
  for (const _ of [1, 2]) {
    const run = await forge.run("sh", script, { env });
    expect(run.exitCode, run.all).toBe(ExitCode.rollout);
    expect(run.stderr).toContain("forge_registry: errors of its tasks:");
    expect(run.stderr).toContain("hephaestus rollback");
    // The tasks from before still serve.
    expect((await fetch(`${forge.registryUrl}/v2/_catalog`)).status).toBe(200);
  }
  await writeConfig(forge, swarm);
  await forge.hephaestus(["render"]);
  const repaired = await forge.run("sh", script, { env: { ...env, HEPHAESTUS_TIMEOUT: "100" } });
  expectOk(repaired);
});
