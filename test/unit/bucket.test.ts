import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { isSharedStorage, storageFolder, storagePlace } from "../../src/config/resolve.js";
import { storageKeysFrom } from "../../src/credentials/operatorVariables.js";
import { ExitCode } from "../../src/errors.js";
import { parseGcOutput } from "../../src/maintenance/runGc.js";
import { loadJobScript, loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";
import { storageOf } from "../../src/storage/runningStorage.js";
import type { SwarmService } from "../../src/swarm/objects.js";

const configOf = (registry: object) =>
  loadConfig(JSON.stringify({ domain: "forge.example", registry }), "hephaestus.yaml", {}).config;
const BUCKET = { driver: "s3", bucket: "images" };

describe("a config with a bucket", () => {
  test("has no folder and is shared by all nodes", () => {
    const config = configOf({ image: "registry:3.1.2", storage: { ...BUCKET, prefix: "team/forge" } });
    expect(storageFolder(config)).toBeUndefined();
    expect(isSharedStorage(config)).toBe(true);
    expect(storagePlace(config)).toBe("s3://images/team/forge");
  });

  test.each([
    ["registry:2.8.3", false],
    ["registry:3.1.0", false],
    ["registry:3.1.1", false],
    ["mirror.example.com/registry:3.0.0", false],
    ["registry:3.1.2", true],
    ["registry:3.2.0", true],
    ["registry:3.10.0", true],
    ["registry:3", true],
  ])("takes %s: %s", (image, accepted) => {
    const load = () => configOf({ image, storage: BUCKET });
    if (accepted) expect(load().registry.image).toBe(image);
    else expect(load).toThrow(ConfigError);
  });

  test.each([
    [{ bucket: "Images" }],
    [{ bucket: "a" }],
    [{ endpoint: "s3.example.com" }],
    [{ endpoint: "https://s3.example.com/path" }],
    [{ endpoint: "https://key:secret@s3.example.com" }],
    [{ prefix: "/forge" }],
    [{ prefix: "../forge" }],
    [{ prefix: "forge/" }],
    [{ region: "eu central" }],
    [{ path: "/mnt/storage/registry" }],
    [{ accessKey: "anvil" }],
  ])("refuses %j", (change) => {
    expect(() => configOf({ image: "registry:3.1.2", storage: { ...BUCKET, ...change } })).toThrow(
      ConfigError,
    );
  });

  test("addresses the bucket by path where it has an endpoint, and by host name at AWS", () => {
    const files = (storage: object) =>
      renderFiles(
        configOf({ image: "registry:3.1.2", storage: { ...BUCKET, ...storage } }),
        loadTemplates(),
        "hephaestus.yaml",
      );
    const registryConfig = (storage: object) =>
      files(storage).find(({ path }) => path === "registry/config.yml")?.text ?? "";
    expect(registryConfig({ endpoint: "http://10.0.0.9:9000" })).toContain("forcepathstyle: true");
    expect(registryConfig({})).toContain("forcepathstyle: false");
    expect(registryConfig({})).not.toMatch(/regionendpoint|rootdirectory|filesystem/);
    expect(registryConfig({ redirect: true })).toMatch(/redirect:\n {4}disable: false/);
  });
});

describe("the keys of a bucket", () => {
  const environment = { REGISTRY_S3_ACCESS_KEY_ID: "anvil", REGISTRY_S3_SECRET_ACCESS_KEY: "a/secret+key=" };

  test("are a credentials file of the AWS SDK", () => {
    const keys = storageKeysFrom(environment, ["s3"]);
    expect(Object.keys(keys)).toEqual(["s3"]);
    expect(keys.s3?.reveal()).toBe(
      "[default]\naws_access_key_id = anvil\naws_secret_access_key = a/secret+key=\n",
    );
    expect(JSON.stringify(keys)).not.toContain("secret+key");
  });

  test("may be left out together, and not one without the other", () => {
    expect(storageKeysFrom({}, ["s3", "s3-reader"])).toEqual({});
    const wrong = [
      { REGISTRY_S3_ACCESS_KEY_ID: "anvil" },
      { REGISTRY_S3_SECRET_ACCESS_KEY: "secret" },
      { ...environment, REGISTRY_S3_SECRET_ACCESS_KEY: "two\nlines" },
      { ...environment, REGISTRY_S3_ACCESS_KEY_ID: "two words" },
    ];
    for (const variables of wrong)
      expect(() => storageKeysFrom(variables, ["s3"])).toThrow(
        expect.objectContaining({ exitCode: ExitCode.credentials }),
      );
    expect(() => storageKeysFrom(environment, ["s3", "s3-reader"])).toThrow(/some keys .* are missing/);
  });
});

test("the running registry says that its images are in a bucket, before any task has run", () => {
  const spec = (secret: string) =>
    ({
      Spec: {
        Name: "forge_registry",
        TaskTemplate: {
          ContainerSpec: { Image: "registry", User: "10001:10001", Secrets: [{ File: { Name: secret } }] },
        },
      },
    }) as unknown as SwarmService;
  expect(storageOf(spec("s3"), [])).toEqual({ driver: "s3", user: "10001:10001" });
  expect(storageOf(spec("htpasswd"), [])).toBeUndefined();
});

describe("the gc job of a bucket", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "bucket-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the script with a registry that prints what the real one does. */
  function collect(registry: string, deadline: number, ...flags: string[]) {
    writeFileSync(join(folder, "registry"), `#!/bin/sh\n${registry}\n`);
    chmodSync(join(folder, "registry"), 0o755);
    const env = { PATH: `${folder}:${process.env.PATH}` };
    return execa("sh", ["-c", loadJobScript("gcBucket"), "gc", "config.yml", String(deadline), ...flags], {
      env,
      reject: false,
    });
  }
  const later = Math.floor(Date.now() / 1000) + 600;

  test("counts what goes, and names the manifests", async () => {
    const [one, two] = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}`);
    const { stdout } = await collect(
      `echo "$@" >${folder}/arguments
echo "team/app: marking manifest ${one} "
echo "manifest eligible for deletion: {team/app ${two} [v1 v2]}"
echo
echo "4 blobs marked, 2 blobs and 1 manifests eligible for deletion"
echo "blob eligible for deletion: ${one}"
echo "blob eligible for deletion: ${two}"`,
      later,
      "--delete-untagged",
      "--dry-run",
    );
    expect(parseGcOutput(stdout.split("\n"))).toEqual({
      blobs: 2,
      bytes: undefined,
      untagged: [`team/app@${two}`],
    });
    const { stdout: given } = await execa("cat", [`${folder}/arguments`]);
    expect(given).toBe("garbage-collect --delete-untagged --dry-run config.yml");
  });

  test("frees nothing, and says so", async () => {
    expect(
      (await collect("echo '3 blobs marked, 0 blobs and 0 manifests eligible for deletion'", later)).stdout,
    ).toBe("freed 0");
  });

  test("fails with the last words of the registry, and does nothing when its time is over", async () => {
    const failed = await collect("echo AccessDenied; exit 1", later);
    expect([failed.exitCode, failed.stdout]).toEqual([1, "AccessDenied"]);
    const late = await collect(`touch ${folder}/ran`, 1);
    expect(late.exitCode).toBe(1);
    expect(late.stdout).toContain("no time left");
  });
});
