import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { composedSpec, type Spec } from "../../src/diff/composedService.js";
import { differenceLines, diffLines } from "../../src/diff/differenceLines.js";
import { compareSpecs, factChanges } from "../../src/diff/serviceDifferences.js";
import { serviceFacts } from "../../src/diff/serviceFacts.js";
import { goNanoseconds } from "../../src/docker/goDuration.js";
import { shown } from "../../src/terminal/output.js";
import { dockersReading } from "../support/dockersReading.js";
import fc from "../support/properties.js";

/**
 * The fixtures are what docker printed: `docker stack config` of a rendered compose file, and `docker service inspect`
 * after its `docker stack deploy`.
 */
const read = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8");

const STACKS = {
  ports: {
    stack: "forge",
    networks: new Map([["f6up334zbr2b6gzl48tlivhz2", "forge_internal"]]),
  },
  registry3: {
    stack: "hephaestus",
    networks: new Map([
      ["u2mg0ht67fe6t7e87vp9ygaae", "aether-net"],
      ["fdhkaztt3tc0cuq2q8c2m68f3", "hephaestus_internal"],
    ]),
  },
};

function fixture(name: keyof typeof STACKS) {
  const names = STACKS[name];
  const compose = dockersReading(read(`${name}.config.yml`));
  const wanted = Object.keys(compose.services).map((service) =>
    composedSpec(names.stack, compose, service, {}),
  );
  const running = (JSON.parse(read(`${name}.inspect.json`)) as Array<{ Spec: Spec }>).map(({ Spec }) => Spec);
  return { names, compose, wanted, running };
}

const plainLines = (...given: Parameters<typeof differenceLines>) =>
  differenceLines(...given).map((line) => shown(line));

/** Lines for a running stack of which one service was changed by hand. */
function linesAfter(service: string, change: (spec: Drifted) => void): string[] {
  const { names, wanted, running } = fixture("ports");
  const copy = structuredClone(running);
  change(copy.find(({ Name }) => Name === `forge_${service}`) as unknown as Drifted);
  return plainLines(compareSpecs(wanted, copy, names, "always"));
}

interface Drifted {
  Labels: Record<string, string>;
  Mode: { Replicated: { Replicas: number } };
  UpdateConfig: Record<string, unknown>;
  EndpointSpec: { Mode: string; Ports?: Spec[] };
  TaskTemplate: {
    ContainerSpec: {
      [key: string]: unknown;
      Env: string[];
      Mounts: Spec[];
      Secrets: Array<{ SecretName: string; File: Spec }>;
      Configs: Array<{ ConfigName: string; File: Spec }>;
      Healthcheck: Spec;
    };
    [key: string]: unknown;
  };
}

test.each([
  "ports",
  "registry3",
] as const)("a stack that was just deployed has no differences (%s)", (name) => {
  const { names, wanted, running } = fixture(name);
  expect(wanted.length).toBeGreaterThan(3);
  expect(compareSpecs(wanted, running, names, "always")).toEqual([]);
});

test("what the engine adds to a spec by itself is no difference", () => {
  const lines = linesAfter("gateway", ({ TaskTemplate }) => {
    TaskTemplate.ContainerSpec.Image += `@sha256:${"a".repeat(64)}`;
    TaskTemplate.Placement = { Platforms: [{ Architecture: "amd64", OS: "linux" }] };
    TaskTemplate.ForceUpdate = 3;
    TaskTemplate.ContainerSpec.Init = false;
    TaskTemplate.ContainerSpec.Sysctls = {};
  });
  expect(lines).toEqual([]);
});

test.each([
  [
    "limits of open files",
    { ulimits: { nofile: { soft: 8192, hard: 8192 } } },
    "ulimits: name nofile, hard 8192, soft 8192",
    // As `docker service inspect` prints it.
    { Ulimits: [{ Name: "nofile", Hard: 8192, Soft: 8192 }] },
  ],
  [
    "kernel settings",
    { sysctls: { "net.ipv4.tcp_retries2": 7 } },
    "sysctl net.ipv4.tcp_retries2: 7",
    { Sysctls: { "net.ipv4.tcp_retries2": "7" } },
  ],
])("%s are compared", (_, composed, line, inspected) => {
  const { names, compose, running } = fixture("ports");
  Object.assign(compose.services.gateway ?? {}, composed);
  const wanted = [composedSpec(names.stack, compose, "gateway", {})];
  const gateway = running.filter(({ Name }) => Name === "forge_gateway") as unknown as Drifted[];
  const lines = () => plainLines(compareSpecs(wanted, gateway as unknown as Spec[], names, "always"));
  expect(lines()).toEqual(["update forge_gateway (rolls)", `  + ${line}`]);
  for (const { TaskTemplate } of gateway) Object.assign(TaskTemplate.ContainerSpec, inspected);
  expect(lines()).toEqual([]);
});

describe("a service that was changed by hand says what deploy puts back:", () => {
  test.each<[string, (spec: Drifted) => void, string[]]>([
    [
      "image",
      ({ TaskTemplate }) => {
        TaskTemplate.ContainerSpec.Image = "nginx:1.27";
      },
      ["  - image: nginx:1.27", "  + image: hephaestus-standin/registry:2.8.2"],
    ],
    ["a label", ({ Labels }) => Object.assign(Labels, { a: "" }), ["  - label a: "]],
    [
      "labels, but for what is named like a secret",
      ({ Labels, TaskTemplate: { ContainerSpec } }) => {
        Object.assign(Labels, { "app.password": "anvil" });
        ContainerSpec.Labels = { ...(ContainerSpec.Labels as object), "app.token": "anvil" };
      },
      ["  - container label app.token: (not shown)", "  - label app.password: (not shown)"],
    ],
    [
      "environment",
      ({ TaskTemplate: { ContainerSpec } }) => {
        ContainerSpec.Env = ["REGISTRY_LOG_LEVEL=a=b", "X_PRICE=a$b 100%", "DB_PASSWORD=very-secret"];
      },
      [
        "  - environment DB_PASSWORD: (not shown)",
        "  - environment REGISTRY_LOG_LEVEL: a=b",
        "  + environment REGISTRY_LOG_LEVEL: warn",
      ],
    ],
    [
      "replicas, also none",
      ({ Mode }) => {
        Mode.Replicated.Replicas = 0;
      },
      ["  - replicas: 0", "  + replicas: 1"],
    ],
    [
      "limits",
      ({ TaskTemplate }) => {
        TaskTemplate.Resources = { Limits: { MemoryBytes: 2 ** 30, Pids: 100 } };
      },
      [
        "  + limit of cpus: 0.125",
        "  - limit of memory: 1G",
        "  + limit of memory: 300M",
        "  - limit of processes: 100",
        "  + reservation of cpus: 0.1",
        "  + reservation of memory: 64M",
      ],
    ],
    [
      "placement",
      ({ TaskTemplate }) => {
        const spread = { Spread: { SpreadDescriptor: "node.labels.zone" } };
        TaskTemplate.Placement = { Constraints: ["node.role == worker"], Preferences: [spread] };
      },
      [
        "  - placement constraints: node.role == worker",
        "  + placement constraints: node.role == manager, node.platform.os != windows",
        "  + placement max replicas per node: 2",
        "  - placement spread: node.labels.zone",
      ],
    ],
    [
      "mounts",
      ({ TaskTemplate: { ContainerSpec } }) => {
        ContainerSpec.Mounts = [
          { Type: "bind", Source: "/srv/x", Target: "/var/lib/registry", ReadOnly: true },
        ];
      },
      [
        "  + mount /tmp: type tmpfs, size 16M",
        "  - mount /var/lib/registry: type bind, source /srv/x, read only",
        "  + mount /var/lib/registry: type bind, source /srv/forge/data",
      ],
    ],
    [
      "secrets",
      ({ TaskTemplate: { ContainerSpec } }) => {
        const [htpasswd, http] = ContainerSpec.Secrets;
        Object.assign(htpasswd ?? {}, { SecretName: "forge_htpasswd_3" });
        Object.assign(http?.File ?? {}, { Mode: 0o444 });
      },
      [
        "  - secret http-secret: http-secret, uid 10001, gid 10001, mode 0444",
        "  + secret http-secret: http-secret, uid 10001, gid 10001, mode 0400",
        "  users: generation 3 -> 1",
      ],
    ],
    [
      "a foreign secret",
      ({ TaskTemplate: { ContainerSpec } }) => {
        ContainerSpec.Secrets.push({
          SecretName: "other",
          File: { Name: "x", UID: "0", GID: "0", Mode: 0o444 },
        });
      },
      ["  - secret x: other, uid 0, gid 0, mode 0444"],
    ],
    [
      "the healthcheck",
      ({ TaskTemplate: { ContainerSpec } }) => {
        Object.assign(ContainerSpec.Healthcheck, { Test: ["CMD-SHELL", "a b"], Interval: 1_500_000_000 });
      },
      [
        "  - healthcheck interval: 1.5s",
        "  + healthcheck interval: 5s",
        '  - healthcheck test: CMD-SHELL "a b"',
        "  + healthcheck test: CMD wget -q -O /dev/null http://127.0.0.1:5000/",
      ],
    ],
    [
      "how it updates",
      ({ UpdateConfig }) => Object.assign(UpdateConfig, { Parallelism: 0, Delay: 2e9, Order: "start-first" }),
      [
        "  - update config delay: 2s",
        "  - update config order: start-first",
        "  + update config order: stop-first",
        "  - update config parallelism: 0",
        "  + update config parallelism: 1",
      ],
    ],
    [
      "ports and the endpoint mode",
      (spec) => {
        const port = { Protocol: "tcp", TargetPort: 5000, PublishedPort: 5000, PublishMode: "ingress" };
        spec.EndpointSpec = { Mode: "vip", Ports: [port] };
      },
      [
        "  - endpoint mode: vip",
        "  + endpoint mode: dnsrr",
        "  - port 5000/tcp: published port 5000, publish mode ingress",
      ],
    ],
    [
      "what no config of hephaestus can set",
      ({ TaskTemplate: { ContainerSpec } }) => {
        Object.assign(ContainerSpec, { Hostname: "h", Privileges: { NoNewPrivileges: true } });
      },
      ["  - hostname: h", "  - privileges no new privileges: yes"],
    ],
    [
      "capabilities, however they are written",
      ({ TaskTemplate: { ContainerSpec } }) => {
        ContainerSpec.CapabilityDrop = ["all"];
        ContainerSpec.CapabilityAdd = ["CAP_SYS_ADMIN"];
      },
      ["  - added capabilities: SYS_ADMIN"],
    ],
    [
      "a network that is gone",
      ({ TaskTemplate }) => {
        TaskTemplate.Networks = [{ Target: "gone7", Aliases: ["registry"] }];
      },
      ["  + network forge_internal: aliases registry", "  - network gone7: aliases registry"],
    ],
  ])("%s", (_name, change, expected) => {
    expect(linesAfter("registry", change).slice(1)).toEqual(expected);
  });
});

test.each<[string, (spec: Drifted) => void]>([
  ["labels only, no task restarts", ({ Labels }) => Object.assign(Labels, { a: "b" })],
  [
    "no task restarts",
    ({ Labels, Mode }) =>
      Object.assign(Labels, { a: "b" }) && Object.assign(Mode.Replicated, { Replicas: 2 }),
  ],
  [
    "moves tasks that no longer fit on their node",
    ({ Labels, TaskTemplate }) =>
      Object.assign(Labels, { a: "b" }) && Object.assign(TaskTemplate, { Placement: {} }),
  ],
  ["rolls", ({ TaskTemplate }) => Object.assign(TaskTemplate, { LogDriver: { Name: "local" } })],
  ["rolls", ({ EndpointSpec }) => Object.assign(EndpointSpec, { Mode: "vip" })],
])("the headline says what an update reaches: %s", (reach, change) => {
  expect(linesAfter("reader", change)[0]).toBe(`update forge_reader (${reach})`);
});

test("services that are not there are created, and those that are too many removed", () => {
  const { names, wanted, running } = fixture("ports");
  const registry = (specs: Spec[]) => specs.filter(({ Name }) => Name === "forge_registry");
  const others = (specs: Spec[]) => specs.filter(({ Name }) => Name !== "forge_registry");
  const lines = plainLines(compareSpecs(wanted, others(running), names, "always"));
  expect(lines).toEqual(["create forge_registry (hephaestus-standin/registry:2.8.2)"]);
  const gone = compareSpecs([], registry(running), names, "always");
  expect(plainLines(gone)).toEqual(["remove forge_registry (hephaestus-standin/registry:2.8.2)"]);
});

describe("an image", () => {
  const facts = (image: string, label: string | undefined) =>
    serviceFacts(
      {
        Labels: label === undefined ? {} : { "com.docker.stack.image": label },
        TaskTemplate: { ContainerSpec: { Image: image } },
      },
      { stack: "forge", networks: new Map() },
    ).get("image")?.value;
  const digest = `@sha256:${"a".repeat(64)}`;
  const other = `@sha256:${"b".repeat(64)}`;

  test.each([
    ["registry:2.8.3", "registry:2.8.3", "registry:2.8.3"],
    [`registry:2.8.3${digest}`, "registry:2.8.3", "registry:2.8.3"],
    [`registry:latest${digest}`, "registry", "registry"],
    [`registry:2.8.3${digest}`, "docker.io/library/registry:2.8.3", "docker.io/library/registry:2.8.3"],
    [`a.example:5000/registry:latest${digest}`, "a.example:5000/registry", "a.example:5000/registry"],
    [`registry:2.8.3${digest}`, `registry:2.8.3${digest}`, `registry:2.8.3${digest}`],
    [
      `registry:2.8.3${digest}`,
      `docker.io/library/registry:2.8.3${digest}`,
      `docker.io/library/registry:2.8.3${digest}`,
    ],
    [`registry:2.8.3${other}`, `registry:2.8.3${digest}`, `registry:2.8.3${other}`],
    ["registry:2.8.2", "registry:2.8.3", "registry:2.8.2"],
    ["registry:2.8.2", undefined, "registry:2.8.2"],
  ])("%s that was deployed as %s is %s", (image, label, expected) => {
    expect(facts(image, label)).toBe(expected);
  });

  test("that somebody else changed stays where docker looks at no registry", () => {
    const { names, wanted, running } = fixture("ports");
    const copy = structuredClone(running) as unknown as Drifted[];
    for (const { TaskTemplate } of copy) TaskTemplate.ContainerSpec.Image = "busybox";
    expect(compareSpecs(wanted, copy as unknown as Spec[], names, "always")).toHaveLength(4);
    const changed = () => plainLines(compareSpecs(wanted, copy as unknown as Spec[], names, "changed"));
    expect(changed()).toEqual([]);
    const [first] = copy;
    if (first) Object.assign(first.Mode.Replicated, { Replicas: 3 });
    expect(changed().slice(1)).toEqual(["  - replicas: 3", "  + replicas: 1"]);
    // The config names another one than the last deploy did.
    for (const { Labels } of copy) Labels["com.docker.stack.image"] = "busybox";
    expect(changed().filter((line) => line === "  - image: busybox")).toHaveLength(4);
  });
});

test("facts of one name are all there, and sizes are exact", () => {
  const facts = serviceFacts(
    {
      TaskTemplate: {
        ContainerSpec: { Env: ["A=1", "A=2"] },
        Resources: { Limits: { MemoryBytes: 1.5 * 2 ** 30 } },
      },
    },
    { stack: "forge", networks: new Map() },
  );
  expect(facts.get("environment A")?.value).toBe("1; 2");
  expect(facts.get("limit of memory")?.value).toBe("1536M");
});

test("what changes in a file is shown without the head of its diff", () => {
  const diff = "--- running\n+++ rendered\n@@ -1 +1 @@\n-a\n+b\n";
  expect(diffLines(diff).map((line) => shown(line))).toEqual(["@@ -1 +1 @@", "-a", "+b"]);
});

test("a service compared with itself has no changes, whatever is in its spec", () => {
  const names = { stack: "forge", networks: new Map<string, string>() };
  const value = fc.jsonValue({ maxDepth: 3 });
  const spec = fc.record({
    Labels: fc.dictionary(fc.string(), fc.string()),
    TaskTemplate: fc.record({
      ContainerSpec: fc.record({
        Env: fc.array(fc.string()),
        Hostname: value,
        Mounts: fc.array(fc.record({ Target: fc.string(), Type: value })),
      }),
      Resources: value,
      Networks: fc.array(fc.record({ Target: fc.string(), Aliases: fc.array(fc.string()) })),
    }),
    Anything: value,
  });
  fc.assert(
    fc.property(spec, (one) => {
      const facts = serviceFacts(one as Spec, names);
      expect(factChanges(facts, serviceFacts(structuredClone(one) as Spec, names))).toEqual([]);
      // And every fact is missed where it is not.
      expect(factChanges(facts, new Map())).toHaveLength(facts.size);
    }),
  );
});

test("durations mean the same to docker stack config and to the engine", () => {
  expect(goNanoseconds("15m10s")).toBe(910e9);
  expect(goNanoseconds("1m0s")).toBe(60e9);
  expect(goNanoseconds("1.5s")).toBe(1.5e9);
  expect(goNanoseconds("500ms")).toBe(5e8);
  expect(goNanoseconds("0s")).toBe(0);
  fc.assert(
    fc.property(fc.nat(100), fc.nat(59), fc.nat(59), (hours, minutes, seconds) => {
      expect(goNanoseconds(`${hours}h${minutes}m${seconds}s`)).toBe(
        (hours * 3600 + minutes * 60 + seconds) * 1e9,
      );
    }),
  );
});
