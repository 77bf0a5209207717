import { writeFile } from "node:fs/promises";
import { execaSync } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { CREDENTIALS, DEPLOY, swarmObjects, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, OPS_SCRIPTS, Workspace } from "./workspace.js";

/** Somebody else's services, networks, configs and secrets under the stack's name: they are named, and never touched. */

const swarm = useSwarm();
const TIMEOUT = 300_000;
let infra: Workspace;

beforeEach(async () => {
  infra = await Workspace.create("infra", 5000, 8080);
  await writeConfig(infra, swarm);
  await infra.hephaestus(["render"]);
});

afterEach(() => infra.destroy());

const deployScript = (compose = "docker-compose.yml") =>
  infra.run("sh", [`${OPS_SCRIPTS}deploy.sh`, "infra", compose], {
    env: { ...CREDENTIALS, HEPHAESTUS_RESOLVE_IMAGE: "never" },
  });

/** Another stack of the same name, as `docker stack deploy` makes it; its service never runs. */
async function deployOther(): Promise<void> {
  const compose = {
    version: "3.8",
    services: {
      web: {
        image: "hephaestus-standin/missing:1",
        configs: ["page"],
        secrets: ["key"],
        deploy: { endpoint_mode: "dnsrr" },
      },
    },
    configs: { page: { file: "./other.txt" } },
    secrets: { key: { file: "./other.txt" } },
  };
  await writeFile(`${infra.folder}/other.txt`, "theirs\n");
  await writeFile(`${infra.folder}/other.yml`, JSON.stringify(compose));
  const run = await infra.docker(
    ...["stack", "deploy", "--resolve-image", "never", "-c", `${infra.folder}/other.yml`, "infra"],
  );
  expectOk(run);
}

const THEIRS = ["config infra_page", "secret infra_key", "service infra_web"];

const networks = async () =>
  (await infra.docker("network", "ls", "--format", "{{.Name}}")).stdout
    .split("\n")
    .filter((name) => name.startsWith("infra_"));

/** Creates a service of somebody else in the stack's namespace, which never runs, once the output has come so far. */
function intrude(name: string, when: RegExp) {
  let isThere = false;
  let deploy = 0;
  return {
    onStart: (pid: number) => {
      deploy = pid;
    },
    onOutput: (text: string) => {
      if (isThere || !when.test(text)) return;
      isThere = true;
      // It waits meanwhile.
      process.kill(deploy, "SIGSTOP");
      execaSync("docker", [
        ...["service", "create", "--detach", "--quiet", "--no-resolve-image", "--endpoint-mode", "dnsrr"],
        ...["--label", "com.docker.stack.namespace=infra", "--name", name, "hephaestus-standin/missing:1"],
      ]);
      process.kill(deploy, "SIGCONT");
    },
  };
}

test("a stack name that something else uses is an obstacle, and nothing of it is touched", {
  timeout: TIMEOUT,
}, async () => {
  await deployOther();
  for (const run of [await infra.hephaestus(DEPLOY, { env: CREDENTIALS }), await deployScript()]) {
    expect(run.exitCode, run.all).toBe(ExitCode.preflight);
    for (const name of [
      "service infra_web",
      "network infra_default",
      "config infra_page",
      "secret infra_key",
    ])
      expect(run.stderr).toContain(name);
    expect(run.stderr).toMatch(/set another (?:stack )?name in hephaestus\.yaml/i);
    expect(run.stderr).toContain("hephaestus adopt infra");
    expect(await swarmObjects(infra)).toEqual(THEIRS);
  }
  const doctor = await infra.hephaestus(["doctor", "--json", "--no-verify"]);
  const { findings } = JSON.parse(doctor.stdout) as { findings: Array<{ code: string; message: string }> };
  expect(findings.map(({ code }) => code).sort()).toEqual([
    "namespace-foreign",
    "not-deployed",
    "registry-line-ended",
  ]);
  const destroyed = await infra.hephaestus(["destroy", "--yes"]);
  expectOk(destroyed);
  expect(await swarmObjects(infra)).toEqual(THEIRS);
  expect(await networks()).toEqual(["infra_default"]);
});

test("what something else puts under the stack's name later is not waited for, and stays whatever becomes of ours", {
  timeout: TIMEOUT,
}, async () => {
  const first = await infra.hephaestus(DEPLOY, {
    env: CREDENTIALS,
    ...intrude("infra_worker", /Secrets \.\.\./),
  });
  expectOk(first);
  expect(await swarmObjects(infra)).toContain("service infra_worker");

  // Neither waits for it, or judges it, or removes it.
  const status = await infra.hephaestus(["status", "--json"]);
  expectOk(status);
  const refused = await infra.hephaestus(DEPLOY, { env: CREDENTIALS });
  expect(refused.exitCode, refused.all).toBe(ExitCode.preflight);
  expect(refused.stderr).toContain("service infra_worker");
  expect(refused.stderr).not.toContain("infra_registry");

  const destroyed = await infra.hephaestus(["destroy", "--yes"]);
  expectOk(destroyed);
  expect(await swarmObjects(infra)).toEqual(["service infra_worker"]);
  expect(await networks()).toEqual([]);
});

test("going back from a first deploy leaves what something else has there", {
  timeout: TIMEOUT,
}, async () => {
  await writeConfig(infra, swarm, { gateway: { image: "hephaestus-standin/nginx:1.99" } });
  await infra.hephaestus(["render"]);
  const run = await infra.hephaestus([...DEPLOY, "--timeout", "60"], {
    env: CREDENTIALS,
    ...intrude("infra_worker", /Secrets \.\.\./),
  });
  expect(run.exitCode, run.all).toBe(ExitCode.rollout);
  expect(run.stderr).toContain("No such image: hephaestus-standin/nginx:1.99");
  expect(run.stderr).toContain(
    "There was no previous state. Everything that this deploy created was removed.",
  );
  expect(await swarmObjects(infra)).toEqual(["secret infra_http-secret_1", "service infra_worker"]);
  expect(await networks()).toEqual([]);
});

test("a service that takes one of our names after preflight is not taken over", {
  timeout: TIMEOUT,
}, async () => {
  const run = await infra.hephaestus(DEPLOY, {
    env: CREDENTIALS,
    ...intrude("infra_gateway", /Secrets \.\.\./),
  });
  expect(run.exitCode, run.all).toBe(ExitCode.preflight);
  expect(run.stderr).toContain("another service has the name infra_gateway");
  expect((await swarmObjects(infra)).filter((name) => name.startsWith("service "))).toEqual([
    "service infra_gateway",
  ]);
});

test("deploy.sh removes services that the compose file no longer has, and nothing of others", {
  timeout: TIMEOUT,
}, async () => {
  expectOk(await infra.run("sh", [`${OPS_SCRIPTS}setup_host.sh`, "--path", `${infra.folder}/data`]));
  const first = await deployScript();
  expectOk(first);
  expect(await swarmObjects(infra)).toContain("service infra_registry-ui");
  await writeConfig(infra, swarm, { ui: { enabled: false } });
  await infra.hephaestus(["render"]);
  // It comes while the script works; before, it would be an obstacle.
  const second = await infra.run("sh", [`${OPS_SCRIPTS}deploy.sh`, "infra", "docker-compose.yml"], {
    env: { ...CREDENTIALS, HEPHAESTUS_RESOLVE_IMAGE: "never" },
    ...intrude("infra_worker", /secrets: generation/),
  });
  expectOk(second);
  const names = await swarmObjects(infra);
  expect(names.filter((name) => name.startsWith("service "))).toEqual([
    "service infra_gateway",
    "service infra_registry",
    "service infra_worker",
  ]);
  expect(names.filter((name) => name.startsWith("config infra_registry-ui"))).toEqual([]);
});
