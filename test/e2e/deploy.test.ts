import { mkdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import { atOnce } from "./clients/client.js";
import { findLeaks } from "./leaks.js";
import { watchProcesses } from "./processes.js";
import {
  type Changes,
  CREDENTIALS,
  DEFAULT_TIMES,
  DEPLOY,
  PASSWORD,
  pullDuring,
  runningContainers,
  SECRETS,
  swarmObjects,
  USER,
  writeConfig,
} from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, type Run, Workspace } from "./workspace.js";

const swarm = useSwarm();
let forge: Workspace;
let first: Run;
let leaks: string[];

/** With the product's own times, in this suite alone. */
const configure = (changes: Changes = {}) =>
  writeConfig(forge, swarm, { ...changes, root: { swarm: DEFAULT_TIMES } });

beforeAll(async () => {
  forge = await Workspace.create("forge", 5000, 8080);
  await configure();
  await forge.hephaestus(["render"]);
  const watch = watchProcesses(SECRETS);
  first = await forge.hephaestus([...DEPLOY, "--verbose"], { env: CREDENTIALS, onStart: watch.expectIn });
  leaks = watch.stop();
});

afterAll(() => forge.destroy());

/** The docker command with a login of its own, apart from the user's. */
async function docker(login: "smith" | "nobody", ...args: string[]): Promise<Run> {
  const folder = `${forge.folder}/docker-${login}`;
  await mkdir(folder, { recursive: true });
  return forge.run("docker", ["--config", folder, ...args], { input: PASSWORD });
}

const image = () => `${forge.registry}/tools/hello:latest`;

describe("a deployed registry", () => {
  test("comes up with one command", () => {
    expect(first.all).toContain("login as smith");
    expect(first.stdout).toContain("docker login -u smith localhost:5000");
    expectOk(first);
  });

  test("has the times that the pages promise", async () => {
    const spec = "{{.TaskTemplate.ContainerSpec.Healthcheck.Interval}} {{.UpdateConfig.Monitor}}";
    for (const service of ["registry", "gateway", "registry-ui"]) {
      const shown = await forge.docker(
        "service",
        "inspect",
        "--format",
        `{{with .Spec}}${spec}{{end}}`,
        `forge_${service}`,
      );
      expect(shown.stdout.trim(), service).toBe("5s 5s");
    }
    const settings = JSON.parse(await readFile(`${forge.folder}/gateway/gateway.json`, "utf8"));
    expect(settings.limits.remember).toBe(45);
  });

  test("lets nginx open a file for each of its connections, whatever the engine's default is", async () => {
    for (const service of ["gateway", "registry-ui"]) {
      const filter = `label=com.docker.swarm.service.name=forge_${service}`;
      const { stdout: id } = await forge.docker("ps", "--quiet", "--filter", filter);
      const all = "for p in /proc/[0-9]*; do if grep -q nginx $p/comm; then cat $p/limits; fi; done";
      const { stdout: limits } = await forge.docker("exec", id, "sh", "-c", all);
      const found = [...limits.matchAll(/^Max open files +(\d+) +(\d+)/gm)].map(([, soft, hard]) => [
        soft,
        hard,
      ]);
      expect(found.length).toBeGreaterThan(1);
      expect(new Set(found.flat())).toEqual(new Set(["8192"]));
    }
    const config = await readFile(`${forge.folder}/gateway/nginx.conf`, "utf8");
    expect(Number(/worker_connections (\d+);/.exec(config)?.[1]) * 2).toBeLessThanOrEqual(8192);
  });

  test("takes a push from who logged in, and gives the image to anybody", async () => {
    await docker("nobody", "tag", swarm.images.hello, image());
    const wrong = await forge.run("docker", ["login", "-u", USER, "--password-stdin", forge.registry], {
      input: "wrong",
    });
    expect(wrong.exitCode).not.toBe(0);
    expect(wrong.all).toMatch(/401|unauthorized|wrong user name/i);

    const login = await docker("smith", "login", "-u", USER, "--password-stdin", forge.registry);
    expectOk(login);
    const push = await docker("smith", "push", image());
    expectOk(push);

    await docker("nobody", "image", "rm", image());
    const pull = await docker("nobody", "pull", image());
    expectOk(pull);
  });

  test("shows a login and a push that work as they stand", async () => {
    const [, login = "", push = ""] =
      /^Next:\n {2}(docker login .*)\n {2}(docker tag .* docker push .*)$/m.exec(first.stdout) ?? [
        first.stdout,
      ];
    const said = `export DOCKER_CONFIG="$PWD/docker-said"; ${login} --password-stdin && ${push}`;
    expectOk(await forge.run("sh", ["-c", said], { input: PASSWORD }));
    expect((await fetch(`http://${forge.registry}/v2/hello/tags/list`)).status).toBe(200);
  });

  test("refuses a push without a login at once, and says to log in", async () => {
    const push = await atOnce(() => docker("nobody", "push", image()));
    expect(push.exitCode).not.toBe(0);
    expect(push.all).toContain("log in first: docker login localhost:5000");
  });

  test("shows its library read-only: reading works, each way of writing is refused by the UI itself", async () => {
    const catalog = await fetch(`${forge.uiUrl}/v2/_catalog`);
    expect(await catalog.json()).toEqual({ repositories: ["hello", "tools/hello"] });
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
      for (const authorization of ["", basicValue("", "")]) {
        const headers: Record<string, string> = authorization ? { authorization } : {};
        const { status } = await fetch(`${forge.uiUrl}/v2/tools/hello/manifests/latest`, { method, headers });
        expect([401, 403], `${method} was answered ${status}`).toContain(status);
      }
    }
  });

  test("gives upload addresses that lead back through the gateway", async () => {
    const authorization = basicValue(USER, PASSWORD);
    const upload = await fetch(`${forge.registryUrl}/v2/tools/hello/blobs/uploads/`, {
      method: "POST",
      headers: { authorization },
    });
    expect(upload.status).toBe(202);
    expect(upload.headers.get("location")).toMatch(
      /^http:\/\/localhost:5000\/v2\/tools\/hello\/blobs\/uploads\//,
    );
    await fetch(upload.headers.get("location") ?? "", { method: "DELETE", headers: { authorization } });
  });

  test("holds its secrets nowhere but in Docker's secrets", async () => {
    expect(leaks).toEqual([]);
    expect(await findLeaks(forge, SECRETS, { "output of deploy": first.all })).toEqual([]);
  });

  test("is left alone by a second deploy of the same", async () => {
    const before = await runningContainers(forge);
    const again = await forge.hephaestus(DEPLOY, { env: CREDENTIALS });
    expectOk(again);
    expect(again.all).toContain("nothing changed");
    expect(await runningContainers(forge)).toEqual(before);
  });

  test("serves on when a broken image is deployed, and what ran before runs again", async () => {
    const before = await runningContainers(forge);
    await configure({ registry: { image: "hephaestus-standin/registry:2.99" } });
    await forge.hephaestus(["render"]);
    const deploy = forge.hephaestus([...DEPLOY, "--timeout", "90"], { env: CREDENTIALS });
    const { result, count } = await pullDuring(forge, "tools/hello", deploy);
    console.log(
      `anonymous pulls while a broken image was deployed: ${count.pulls}, failed: ${count.failures.length}`,
    );
    expect(result.exitCode, result.all).toBe(ExitCode.rollout);
    expect(result.stderr).toContain("No such image: hephaestus-standin/registry:2.99");
    expect(result.stderr).toContain("The previous state runs again.");
    expect(count.failures).toEqual([]);
    expect(count.pulls).toBeGreaterThan(0);
    expect(await runningContainers(forge)).toEqual(before);
  });

  test("loses its library, and what belonged to it, when the config does", async () => {
    await configure({ ui: { enabled: false } });
    await forge.hephaestus(["render"]);
    const run = await forge.hephaestus(DEPLOY, { env: CREDENTIALS });
    expectOk(run);
    const names = await swarmObjects(forge);
    expect(names).not.toContain("service forge_registry-ui");
    expect(names.filter((name) => name.startsWith("config forge_registry-ui"))).toEqual([]);
  });
});
