/** What the accounts of the stack may do, and that nobody else has their names. */
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.js";
import { registryUi } from "../../../src/services/library.js";
import { bearerOf, inShort, programOf, RULES, type Sent } from "./standIn.js";

const DIGEST = `sha256:${"a".repeat(64)}`;
const program = programOf(RULES);
const libraryOf = (config: object) =>
  registryUi(loadConfig(JSON.stringify({ domain: "a.example", ...config }), "f", {}).config);
const answer = async (sent: Sent, from = program) => inShort(await from(sent));

describe("an account of the stack", () => {
  const mirrored = programOf({
    ...RULES,
    ui: { admin: { enabled: true } },
    mirror: [{ from: "docker.io/library/alpine", to: "mirror/alpine", tags: ["3*"] }],
  });
  test.each([
    ["hephaestus-ui", "GET", "/v2/secret/a/tags/list", "@reads /v2/secret/a/tags/list"],
    [
      "hephaestus-ui-12",
      "DELETE",
      `/v2/secret/a/manifests/${DIGEST}`,
      `@writes /v2/secret/a/manifests/${DIGEST}`,
    ],
    ["hephaestus-ui", "PUT", "/v2/other/manifests/x", "403 hephaestus-ui may not push to other"],
    ["hephaestus-ui", "POST", "/v2/", "403 hephaestus-ui may not do this"],
    ["hephaestus-library", "GET", "/v2/users/a/tags/list", "@reads /v2/users/a/tags/list"],
    [
      "hephaestus-library-3",
      "GET",
      "/v2/secret/a/tags/list",
      "403 hephaestus-library-3 may not pull secret/a",
    ],
    [
      "hephaestus-library",
      "DELETE",
      `/v2/users/a/manifests/${DIGEST}`,
      "403 hephaestus-library may not delete from users/a",
    ],
    ["hephaestus-library", "PUT", "/v2/other/manifests/x", "403 hephaestus-library may not push to other"],
    ["hephaestus-libraryx", "GET", "/v2/users/a/tags/list", "403 hephaestus-libraryx may not pull users/a"],
    ["hephaestus-mirror-2", "PUT", "/v2/mirror/alpine/manifests/3", "@writes /v2/mirror/alpine/manifests/3"],
    ["hephaestus-mirror", "GET", "/v2/mirror/alpine/tags/list", "@reads /v2/mirror/alpine/tags/list"],
    ["hephaestus-mirror", "PUT", "/v2/other/manifests/x", "403 hephaestus-mirror may not push to other"],
    ["hephaestus-mirror", "GET", "/v2/secret/a/tags/list", "403 hephaestus-mirror may not pull secret/a"],
    [
      "hephaestus-mirror",
      "DELETE",
      "/v2/mirror/alpine/manifests/3",
      "403 hephaestus-mirror may not delete from mirror/alpine",
    ],
    ["hephaestus-mirror", "GET", "/v2/_catalog", "403 hephaestus-mirror may not do this"],
    ["hephaestus.temporary", "PUT", "/v2/shut/manifests/x", "@writes /v2/shut/manifests/x"],
    // Nobody else has such a name, however it is spelled.
    [
      "HEPHAESTUS.TEMPORARY",
      "PUT",
      "/v2/other/manifests/x",
      "403 HEPHAESTUS.TEMPORARY may not push to other",
    ],
    ["Hephaestus-ui", "GET", "/v2/secret/a/tags/list", "403 Hephaestus-ui may not pull secret/a"],
    ["hephaestus-UI", "GET", "/v2/users/a/tags/list", "403 hephaestus-UI may not pull users/a"],
    ["hephaestus-ui-x", "GET", "/v2/users/a/tags/list", "403 hephaestus-ui-x may not pull users/a"],
    ["hephaestus-uix", "GET", "/v2/users/a/tags/list", "403 hephaestus-uix may not pull users/a"],
    [
      "hephaestus.temporary2",
      "GET",
      "/v2/users/a/tags/list",
      "403 hephaestus.temporary2 may not pull users/a",
    ],
    ["hephaestus-gateway", "PUT", "/v2/other/manifests/x", "403 hephaestus-gateway may not push to other"],
    ["hephaestus-gateway", "GET", "/v2/", "403 hephaestus-gateway may not do this"],
  ])("%s: %s %s: %s", async (user, method, uri, expected) => {
    expect(await answer({ user, method, uri }, mirrored)).toBe(expected);
    expect(await answer({ headers: await bearerOf(mirrored, user), method, uri }, mirrored)).toBe(expected);
  });

  test("of the library, as the stack mounts it, pulls what every user may pull, and changes nothing", async () => {
    const config = {
      registry: { pull: "authenticated", delete: true },
      ui: { access: "sso", admin: { enabled: true } },
    };
    const open = programOf(config);
    const user = `hephaestus-${libraryOf(config)?.service.secrets?.[0]?.source}`;
    const manifest = `/v2/other/manifests/${DIGEST}`;
    const answers = [
      ["GET", "/v2/", "@reads /v2/"],
      ["GET", "/v2/_catalog", "@reads /v2/_catalog"],
      ["GET", manifest, `@reads ${manifest}`],
      ["HEAD", manifest, `@reads ${manifest}`],
      ["DELETE", manifest, `403 ${user} may not delete from other`],
      ["PUT", "/v2/other/manifests/x", `403 ${user} may not push to other`],
      ["POST", "/v2/other/blobs/uploads/", `403 ${user} may not push to other`],
      ["POST", "/v2/", `403 ${user} may not do this`],
    ] as const;
    for (const [method, uri, expected] of answers) {
      expect(await answer({ user, method, uri }, open)).toBe(expected);
      expect(await answer({ headers: await bearerOf(open, user), method, uri }, open)).toBe(expected);
    }
    expect(libraryOf({ ...config, access: RULES.access })?.service.secrets).toBeUndefined();
  });

  test("is named in the log with the person for whom the admin UI asks; nobody else is believed", async () => {
    const name = async (user: string, person: string) =>
      (await program({ user, uri: "/v2/", headers: { "Remote-User": person } })).variables.person;
    expect(await name("hephaestus-ui", "ann")).toBe("ann via hephaestus-ui");
    for (const person of ["hephaestus-ui", "HEPHAESTUS.temporary", "a b", 'x"', ""])
      expect(await name("hephaestus-ui", person)).toBe("hephaestus-ui");
    for (const user of ["bob", "hephaestus-library"]) expect(await name(user, "ann")).toBe(user);
  });
});
