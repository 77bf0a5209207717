/** Probes of who may do what. */
import { expect } from "vitest";
import { startUpload } from "../../e2e/attacks/image.js";
import { writes } from "../../e2e/attacks/shapes.js";
import {
  ANONYMOUS,
  ask,
  cancel,
  EVIL,
  manifest,
  OCI,
  type Probe,
  RIGHT,
  uploadState,
  wrong,
} from "./site.js";

const LOG_IN = "log in first: docker login";

export const theFirstAnswerIsTheChallenge: Probe = async ({ endpoint }) => {
  for (const headers of [[], ["Host: evil.example", ...EVIL]]) {
    const answer = await ask(endpoint, "GET", "/v2/", headers);
    expect(answer.status).toBe(401);
    const realm = `Bearer realm="http://${endpoint.authority}/auth/token",service="${endpoint.authority}"`;
    expect(answer.headers["www-authenticate"]).toBe(realm);
    expect(answer.headers["docker-distribution-api-version"]).toBe("registry/2.0");
    expect(answer.headers.server).toBe("nginx");
    expect(answer.body).toContain(`"UNAUTHORIZED","message":"${LOG_IN} ${endpoint.authority}"`);
  }
};

export const anybodyGetsAnAnonymousToken: Probe = async ({ endpoint }) => {
  const answer = await ask(endpoint, "GET", "/auth/token?service=x&scope=repository:push/delete:pull");
  expect([answer.status, answer.headers["cache-control"]]).toEqual([200, "no-store"]);
  expect(JSON.parse(answer.body)).toEqual({
    token: "anonymous",
    access_token: "anonymous",
    expires_in: 300,
  });
};

export const tokensAreForGetAlone: Probe = async ({ endpoint }) => {
  const answer = await ask(endpoint, "POST", "/auth/token", [], "grant_type=password&scope=push");
  expect(answer.status).toBe(405);
  expect(answer.body).toContain('"UNSUPPORTED"');
};

/** Docker's command asks for push where it reads a manifest, crane for everything where it lists the catalog. */
export const anonymousTokensAreForAnyScope: Probe = async ({ endpoint }) => {
  const scopes = ["pull", "push", "delete", "*", "pull,push", "push%2Cpull"].map(
    (right) => `repository:tools/hello:${right}`,
  );
  for (const scope of [...scopes, "registry:catalog:*", "registry%3Acatalog%3A%2A"]) {
    const answer = await ask(endpoint, "GET", `/auth/token?scope=${scope}&service=x`);
    expect(answer.status, scope).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ token: "anonymous" });
  }
};

export const onlyUsersGetTokensForACredential: Probe = async ({ endpoint }) => {
  for (const header of [ANONYMOUS, "Authorization: Digest x", "Authorization: Bearer a.b", wrong()]) {
    const answer = await ask(endpoint, "GET", "/auth/token", [header]);
    expect(answer.status, header).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe(`Basic realm="${endpoint.authority}"`);
  }
};

export const anybodyReads: Probe = async ({ endpoint, image }) => {
  const base = `/v2/${image.repository}`;
  for (const headers of [[], [ANONYMOUS], ["authorization: bearer  anonymous"]]) {
    for (const path of [
      `manifests/${image.tag}`,
      `manifests/${image.manifestDigest}`,
      `blobs/${image.blobDigest}`,
    ])
      for (const method of ["GET", "HEAD"])
        expect((await ask(endpoint, method, `${base}/${path}`, [OCI, ...headers])).status, path).toBe(200);
    for (const target of [`${base}/tags/list`, "/v2/_catalog", ...(headers.length > 0 ? ["/v2/"] : [])])
      expect((await ask(endpoint, "GET", target, headers)).status, target).toBe(200);
  }
};

/** Who comes with the anonymous token has asked for one already: another challenge would send some clients in circles. */
const refusalOf = (headers: string[]): number => (headers.includes(ANONYMOUS) ? 403 : 401);

export const nobodyWritesWithoutAPassword: Probe = async ({ endpoint, image }) => {
  for (const headers of [[], [ANONYMOUS], ["Authorization: Bearer a.b.c"], ["X-HTTP-Method-Override: GET"]]) {
    for (const shape of writes(image)) {
      const { method, target, body } = shape;
      const answer = await ask(endpoint, method, target, [...shape.headers, ...headers], body);
      expect(answer.status, `${method} ${target} ${headers}`).toBe(refusalOf(headers));
      expect(answer.body).toContain(LOG_IN);
    }
  }
};

export const anUploadIsItsUsersAlone: Probe = async ({ endpoint, image }) => {
  const id = "00000000-0000-4000-8000-000000000000?_state=AAAA";
  for (const uploads of ["uploads", "%75ploads", "./uploads", "/uploads"])
    for (const method of ["GET", "HEAD"])
      for (const headers of [[], [ANONYMOUS]])
        for (const end of [`/${id}`, "/", ""]) {
          const { status } = await ask(
            endpoint,
            method,
            `/v2/${image.repository}/blobs/${uploads}${end}`,
            headers,
          );
          // What is written in another way, or has no end, names nothing.
          const isUpload = uploads === "uploads" && end !== "";
          expect(status, `${method} ${uploads}${end}`).toBe(isUpload ? refusalOf(headers) : 404);
        }
};

export const credentialsOfNoKnownFormOpenNothing: Probe = async (site) => {
  const forms = [
    "Digest username=smith",
    "Basic",
    "Bearer",
    "Bearer a.b.c",
    "Bearer anonymous x",
    "anonymous",
    "Bearer anonymous.x",
    "XBearer anonymous",
    "Bearer $caller",
    "Negotiate x",
    "a",
    "b",
    "c",
    "d",
  ];
  // All at once: what asks the registry about them instead of refusing them is limited, and would recover meanwhile.
  for (const target of [manifest(site), "/v2/"]) {
    const asked = forms.map((form) => ask(site.endpoint, "GET", target, [`Authorization: ${form}`, OCI]));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses).toEqual(forms.map(() => 401));
  }
};

export const aRightPasswordOpensEverything: Probe = async (site) => {
  const { endpoint } = site;
  const token = await ask(endpoint, "GET", "/auth/token?scope=repository:tools/hello:push,pull", [RIGHT]);
  expect([token.status, token.headers["cache-control"]]).toEqual([200, "no-store"]);
  const { access_token } = JSON.parse(token.body) as { access_token: string };
  for (const header of [RIGHT, `Authorization: Bearer ${access_token}`]) {
    expect((await ask(endpoint, "GET", "/v2/", [header])).status).toBe(200);
    expect((await ask(endpoint, "GET", manifest(site), [header, OCI])).status).toBe(200);
    await cancel(endpoint, await startUpload(endpoint, header, site.image.repository));
  }
};

export const aFirstRequestMayCarryABody: Probe = async (site) => {
  const headers = [RIGHT, `Content-Type: ${OCI.slice("Accept: ".length)}`];
  expect((await ask(site.endpoint, "PUT", manifest(site), headers, site.image.manifest)).status).toBe(201);
};

export const aWrongPasswordOpensNothing: Probe = async (site) => {
  const { endpoint, image } = site;
  expect((await ask(endpoint, "GET", "/v2/", [RIGHT])).status).toBe(200);
  const upload = `/v2/${image.repository}/blobs/uploads/`;
  for (const [method, target] of [
    ["GET", "/v2/"],
    ["GET", uploadState(site)],
    ["POST", upload],
    ["GET", "/auth/token"],
    ["GET", "/auth/token?scope=repository%3Atools%2Fhello%3Apull%2Cpush"],
    ["GET", "/auth/token?scope=repository:tools/hello:pull&scope=repository:tools/hello:push"],
    ["GET", "/auth/token?scope=registry:catalog:*"],
  ] as const) {
    const answer = await ask(endpoint, method, target, [wrong(), OCI]);
    expect(answer.status, `${method} ${target}`).toBe(401);
    expect(answer.body).toContain("wrong user name or password");
  }
};

/** A stored login that is out of date, or cannot be checked at the moment, is no reason to refuse what anyone may have. */
export const aPublicReadNeedsNoCheck: Probe = async (site) => {
  const { endpoint, image } = site;
  const scope = "scope=repository%3Atools%2Fhello%3Apull";
  for (let round = 0; round < 15; round++) {
    const credential = wrong();
    const token = await ask(endpoint, "GET", `/auth/token?account=smith&${scope}&service=x`, [credential]);
    expect(token.status).toBe(200);
    expect(JSON.parse(token.body)).toMatchObject({ token: "anonymous" });
    for (const header of [credential, ANONYMOUS]) {
      expect((await ask(endpoint, "GET", manifest(site), [header, OCI])).status).toBe(200);
      expect(
        (await ask(endpoint, "HEAD", `/v2/${image.repository}/blobs/${image.blobDigest}`, [header])).status,
      ).toBe(200);
    }
  }
};

/** Before there were signed tokens, a token was the credential. */
export const aCredentialIsNoToken: Probe = async ({ endpoint, image }) => {
  const bearer = RIGHT.replace("Basic", "Bearer");
  for (const [method, target] of [
    ["GET", "/v2/"],
    ["GET", "/auth/token"],
    ["POST", `/v2/${image.repository}/blobs/uploads/`],
  ] as const)
    expect((await ask(endpoint, method, target, [bearer])).status, `${method} ${target}`).toBe(401);
};

/** The registry hears the account of the gateway alone, and a token is not in the log. */
export const aTokenEndsAtTheGateway: Probe = async ({ endpoint, image, log }) => {
  const { body } = await ask(endpoint, "GET", "/auth/token", [RIGHT]);
  const { token } = JSON.parse(body) as { token: string };
  expect(token).toMatch(/^[\w-]+\.[\w-]{43}$/);
  const bearer = `Authorization: Bearer ${token}`;
  await cancel(endpoint, await startUpload(endpoint, bearer, image.repository));
  expect((await ask(endpoint, "GET", `/v2/${image.repository}/tags/list`, [bearer, bearer])).status).toBe(
    400,
  );
  const [payload = "", mac = ""] = token.split(".");
  for (const forged of [payload, mac, `${payload}.${mac}A`, `${payload}.`, `${payload}.${mac}.${mac}`])
    expect((await ask(endpoint, "GET", "/v2/", [`Authorization: Bearer ${forged}`])).status, forged).toBe(
      401,
    );
  expect(await log()).not.toContain(mac);
};

export const innerPlacesAreNotToBeHad: Probe = async ({ endpoint }) => {
  for (const target of [
    "/ask/password",
    "/catalog",
    "/ask/swift/password",
    "/swift/password",
    "/checks/password",
    "/registry/v2/_catalog",
    "/gateway.js",
    "/auth/",
    "/auth/token/",
    "/nothing",
  ])
    for (const headers of [[], [ANONYMOUS], [RIGHT]])
      expect((await ask(endpoint, "GET", target, headers)).status, target).toBe(404);
};
