import { createServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { lookUp } from "../../src/doctor/dns.js";
import { judgeCertificate, judgeFrontDoor, judgeHostNames } from "../../src/doctor/frontDoorChecks.js";
import { judgeNeighbours } from "../../src/doctor/neighbourChecks.js";
import { middlewareNames, readTraefik, type TraefikFacts } from "../../src/doctor/traefikApi.js";
import { judgeTraefik } from "../../src/doctor/traefikChecks.js";
import { goSeconds } from "../../src/doctor/traefikTimeout.js";
import type { Finding } from "../../src/finding.js";
import { readCertificate } from "../../src/frontDoor/certificate.js";
import type { FrontDoorAnswer } from "../../src/frontDoor/questions.js";
import { hostsOf } from "../../src/services/traefikLabels.js";
import { entrypoint, listen, router, traefikApi } from "../e2e/doctor/fakes.js";
import fc from "../support/properties.js";
import { selfSigned } from "../support/selfSigned.js";
import { service } from "./swarmObjects.js";

/** What the front door, its names and certificates, and Traefik tell. */

const load = (text: string) => loadConfig(`domain: a.example\nstack: forge\n${text}`, "f", {}).config;
const ids = (findings: readonly Finding[]) => findings.map(({ severity, code }) => `${severity} ${code}`);
const DAY = 86_400_000;

describe("certificates", () => {
  const shown = async (host: string, name: string, from: number, until: number) => {
    const [begin, end] = [from, until].map((days) => new Date(Date.now() + days * DAY)) as [Date, Date];
    const server = createHttpsServer(selfSigned([name], begin, end));
    await listen(server);
    try {
      const { port } = server.address() as AddressInfo;
      const certificate = await readCertificate(`https://${host}:${port}`, "127.0.0.1");
      return certificate ? ids(judgeCertificate(host, certificate, new Date())) : ["none"];
    } finally {
      server.close();
    }
  };

  test.each([
    ["one that nobody signed", "a.example", -1, 60, ["error certificate-untrusted"]],
    [
      "one that ends soon",
      "a.example",
      -60,
      13,
      ["warning certificate-ends-soon", "error certificate-untrusted"],
    ],
    [
      "one that has ended, which is all that its check tells",
      "a.example",
      -60,
      -1,
      ["error certificate-expired"],
    ],
    [
      "one of another name",
      "b.example",
      -1,
      60,
      ["error certificate-wrong-name", "error certificate-untrusted"],
    ],
    ["one that begins tomorrow", "a.example", 1, 60, ["error certificate-not-yet-valid"]],
  ])("a real server shows %s", async (_name, name, from, until, expected) => {
    expect(await shown("a.example", name, from, until)).toEqual(expected);
  });

  test("a sound one is no finding, and Traefik's own default is known", () => {
    const [from, until] = [new Date(0), new Date(30 * DAY)];
    const sound = {
      from,
      until,
      subject: "a.example",
      issuer: "R11",
      nameFault: undefined,
      trustFault: undefined,
    };
    expect(judgeCertificate("a.example", sound, new Date(DAY))).toEqual([]);
    const fault = {
      ...sound,
      subject: "TRAEFIK DEFAULT CERT",
      nameFault: "Host: a.example. is not in the cert's altnames",
    };
    expect(judgeCertificate("a.example", fault, new Date(DAY))[0]?.remedy).toContain("traefik.certResolver");
    const before = judgeCertificate("a.example", fault, new Date(DAY), false)[0]?.remedy;
    expect(before).toMatch(/load balancer that ends TLS/);
    expect(before).not.toContain("certResolver");
  });

  test("where no TLS answers there is none", async () => {
    const server = createServer();
    const { port } = await listen(server);
    expect(await readCertificate(`https://a.example:${port}`, "127.0.0.1")).toBeUndefined();
    expect(await readCertificate(`http://a.example:${port}`)).toBeUndefined();
    server.close();
  });
});

describe("names", () => {
  test("each that does not resolve is found", () => {
    const [registry, ui] = [
      { host: "r", code: "ENOTFOUND" },
      { host: "u", code: undefined },
    ] as const;
    expect(judgeHostNames([ui])).toEqual([]);
    expect(judgeHostNames([registry, ui]).map(({ message }) => message)).toEqual(["r does not resolve"]);
  });

  test("a name is looked up as every program would", async () => {
    expect(await lookUp("127.0.0.1")).toEqual({ host: "127.0.0.1", code: undefined });
    expect((await lookUp("no-such-name.invalid")).code).toMatch(/^E/);
  });
});

describe("answers", () => {
  const check = (id: FrontDoorAnswer["id"], changes: Partial<FrontDoorAnswer> = {}): FrontDoorAnswer => ({
    id,
    title: id,
    fault: "f",
    ...changes,
  });
  const judge = (checks: FrontDoorAnswer[], text = "") => ids(judgeFrontDoor(load(text), checks));

  test("of a sound front door nothing is found", () => {
    expect(judge([check("challenge", { fault: undefined }), check("library", { fault: undefined })])).toEqual(
      [],
    );
  });

  test("names and certificates are told by their own checks", () => {
    const codes = [
      "ENOTFOUND",
      "EAI_AGAIN",
      "CERT_HAS_EXPIRED",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    ];
    expect(judge(codes.map((code) => check("challenge", { code })))).toEqual([]);
  });

  test("what Authelia does is told of Authelia, and no service of the stack is blamed", () => {
    const told = (checks: FrontDoorAnswer[]) => judgeFrontDoor(load("ui: { access: sso }"), checks);
    const denied = check("admin", { status: 403, authelia: "refuses", fault: "denied" });
    const down = check("library", { status: 500, authelia: "silent", fault: "down" });
    expect(ids(told([denied, down]))).toEqual(["error authelia-silent", "error authelia-refuses"]);
    const [first, second] = told([denied, down]);
    expect([first?.evidence, second?.evidence]).toEqual(["down", "denied"]);
    expect(second?.remedy).toContain("authelia/access_control.yml");
  });

  test("the admin UI is not the library", () => {
    const [finding] = judgeFrontDoor(load(""), [check("admin", { status: 404 })]);
    expect(finding?.message).toContain("the admin UI");
    expect(finding?.remedy).toContain("hephaestus logs registry-admin");
  });

  test("an address that does not answer is one finding", () => {
    const silent = { code: "ECONNREFUSED" };
    const all = (["challenge", "anonymous-token", "anonymous-write"] as const).map((id) => check(id, silent));
    expect(judge(all)).toEqual(["error front-door-silent"]);
    expect(judge([...all, check("library", silent)])).toEqual([
      "error front-door-silent",
      "error front-door-silent",
    ]);
    expect(judge([check("challenge", { status: 404 }), check("anonymous-write", { status: 502 })])).toEqual([
      "error front-door-wrong",
    ]);
  });

  test.each<[string, FrontDoorAnswer, string, string]>([
    ["a push without a login", check("anonymous-write", { status: 202 }), "", "anonymous-write"],
    [
      "a token for anybody",
      check("anonymous-token", { status: 200 }),
      "registry: { pull: authenticated }",
      "anonymous-pull",
    ],
    [
      "a read that got to the registry",
      check("anonymous-read", { status: 404 }),
      "registry: { pull: authenticated }",
      "anonymous-pull",
    ],
    ["a deletion through the library", check("library-write", { status: 202 }), "", "library-writes"],
    ["a library that asks nobody", check("library", { status: 200 }), "ui: { access: sso }", "library-open"],
    ["an admin UI that asks nobody", check("admin", { status: 200 }), "", "admin-open"],
  ])("%s is an error of its own", (_name, one, text, id) => {
    expect(judge([one], text)).toEqual([`error ${id}`]);
  });
});

describe("Traefik", () => {
  const config = load("ui: { access: sso }\ntraefik: { middlewares: [secure-headers@file, compress] }");
  const middleware = (name: string) => ({ name, status: "enabled", type: "forwardauth" });
  const sound = (): TraefikFacts => ({
    routers: [
      router("forge-registry@swarm", "registry.a.example"),
      router("forge-registry-ui@swarm", "registry-ui.a.example"),
      router("redirect@file", "registry.a.example", { entryPoints: ["web"], using: ["web"] }),
      router("other@swarm", "other.example"),
    ],
    missingMiddlewares: [],
    entrypoint: entrypoint("websecure", "900000000000ns"),
  });
  const judge = (changes: Partial<TraefikFacts>) => ids(judgeTraefik(config, { ...sound(), ...changes }));
  const withRouter = (changes: Record<string, unknown>) => {
    const [first, ...others] = sound().routers;
    return judge({ routers: [{ ...first, name: first?.name ?? "", ...changes }, ...others] });
  };

  test("nothing is found where all is as it should be, a redirection on another entrypoint included", () => {
    expect(middlewareNames(config)).toEqual([
      "secure-headers@file",
      "compress@swarm",
      "forge-before-auth@swarm",
      "authelia@swarm",
    ]);
    expect(judge({})).toEqual([]);
  });

  test.each<[string, string[], string[]]>([
    [
      "a router that it does not see",
      withRouter({ name: "forge-registry@docker" }),
      ["error router-missing"],
    ],
    [
      "a router that it disabled",
      withRouter({ status: "disabled", error: ["no valid entryPoint for this router"] }),
      ["error router-refused"],
    ],
    [
      "a router that it warns of",
      withRouter({ status: "warning", error: ["x"] }),
      ["warning router-refused"],
    ],
    [
      "a router elsewhere",
      withRouter({ entryPoints: ["web"], using: ["web"] }),
      ["error router-wrong-entrypoint"],
    ],
    [
      "a middleware that is not there",
      judge({ missingMiddlewares: ["authelia@swarm"] }),
      ["error middleware-missing"],
    ],
    ["an entrypoint that is not there", judge({ entrypoint: undefined }), ["error entrypoint-missing"]],
    [
      "an entrypoint that cuts large layers",
      judge({ entrypoint: entrypoint("websecure", "1m0s") }),
      ["warning read-timeout-short"],
    ],
    ["no fault in one without a limit", judge({ entrypoint: entrypoint("websecure", undefined) }), []],
    ["no fault in one of ten minutes", judge({ entrypoint: entrypoint("websecure", "10m0s") }), []],
  ])("%s", (_name, found, expected) => expect(found).toEqual(expected));

  test("neighbours with the same router, host or alias are found, and none of the stack's own", () => {
    const labels = (name: string, host: string, entrypoints?: string) => ({
      [`traefik.http.routers.${name}.rule`]: `Host(\`other.example\`, \`${host}\`)`,
      ...(entrypoints ? { [`traefik.http.routers.${name}.entrypoints`]: entrypoints } : {}),
    });
    const judgeOne = (Labels: Record<string, string>, Aliases: string[] = [], Target = "net1") => {
      const { Spec } = service();
      const TaskTemplate = { ...Spec.TaskTemplate, Networks: [{ Target, Aliases }] };
      return ids(judgeNeighbours(config, "net1", [service({ Spec: { ...Spec, Labels, TaskTemplate } })]));
    };
    expect(judgeOne({}, ["cache"])).toEqual([]);
    expect(judgeOne({}, ["registry"], "net2")).toEqual([]);
    expect(judgeOne({}, ["registry"])).toEqual(["warning alias-twice"]);
    expect(judgeOne(labels("x", "registry.a.example"))).toEqual(["warning host-claimed-twice"]);
    expect(judgeOne(labels("x", "registry.a.example", "websecure"))).toEqual(["warning host-claimed-twice"]);
    expect(judgeOne(labels("x", "registry.a.example", "web"))).toEqual([]);
    const own = { "com.docker.stack.namespace": "forge", ...labels("forge-registry", "registry.a.example") };
    expect(judgeOne(own, ["registry"])).toEqual([]);
  });

  test("hosts of a rule, in both spellings; what is no host is none", () => {
    expect(hostsOf('Host(`a.example`, "B.example") && (Method(`GET`) || Host(`c.example`))')).toEqual([
      "a.example",
      "b.example",
      "c.example",
    ]);
    expect(hostsOf("HostRegexp(`^a\\.example$`) || PathPrefix(`/Host`)")).toEqual([]);
  });

  test("its API is read as a whole, and what is no API is told", async () => {
    const routers = Array.from({ length: 250 }, (_, index) => router(`r${index}@swarm`, "a.example"));
    const middlewares = ["authelia@swarm", "secure-headers@file"].map(middleware);
    const entrypoints = [entrypoint("web", undefined), entrypoint("websecure", "1m0s")];
    const fake = traefikApi({ routers, middlewares, entrypoints, version: "v3.5.0" });
    const server = createServer((request, response) => {
      if (request.url?.startsWith("/else")) response.writeHead(404).end("404 page not found");
      else if (request.url?.startsWith("/other")) response.end('{"Version":5}');
      else fake(request, response);
    });
    const { url } = await listen(server);
    const read = (api: string) => readTraefik({ ...config, traefik: { ...config.traefik, api } });
    const facts = await read(`${url}/`);
    expect(facts.routers.map(({ name }) => name)).toEqual(routers.map(({ name }) => name));
    expect(facts.missingMiddlewares).toEqual(["compress@swarm", "forge-before-auth@swarm"]);
    expect(facts.entrypoint?.transport?.respondingTimeouts?.readTimeout).toBe("1m0s");
    expect(facts.version).toBe("3.5.0");
    const other = { ...config, traefik: { ...config.traefik, api: url, entrypoint: "https" } };
    expect((await readTraefik(other)).entrypoint).toBeUndefined();
    await expect(read(`${url}/else`)).rejects.toThrow("/else/api/version answered 404");
    await expect(read(`${url}/other`)).rejects.toThrow("does not answer as Traefik's API does");
    server.close();
  });

  test("durations of Go are read, whatever their units", () => {
    expect(goSeconds("60")).toBe(60);
    expect(goSeconds("0s")).toBe(0);
    for (const wrong of ["", "1 m", "m", "-1s", "1d", "60x"]) expect(goSeconds(wrong), wrong).toBeUndefined();
    const upTo = (most: number) => fc.integer({ min: 0, max: most });
    fc.assert(
      fc.property(upTo(99), upTo(59), upTo(59), upTo(999), (h, m, s, ms) => {
        const seconds = h * 3600 + m * 60 + s + ms / 1000;
        expect(goSeconds(`${h}h${m}m${s}.${String(ms).padStart(3, "0")}s`)).toBeCloseTo(seconds, 9);
        expect(goSeconds(`${Math.round(seconds * 1e9)}ns`)).toBeCloseTo(seconds, 9);
      }),
    );
  });
});
