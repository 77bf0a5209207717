import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { hostSkip, prepareHost, showHost } from "../../src/deploy/prepareHost.js";
import type { Session } from "../../src/session.js";
import type { Reporter } from "../../src/terminal/reporter.js";

const BUCKET = "image: registry:3.1.2, storage: { driver: s3, bucket: images, region: eu-central-1 }";

test.each([
  ["the images are in a bucket", BUCKET, true],
  ["--skip-host-setup", "storage: { path: /srv/images }", false],
])("a deploy and its dry run leave out the host for the same reason: %s", async (reason, registry, hostSetup) => {
  const { config } = loadConfig(`domain: example.com\nregistry: { ${registry} }`, "a config", {});
  const told: string[][] = [];
  const reporter = {
    begin: (...words: string[]) => told.push(words),
    end: (...words: string[]) => told.push(words),
  } as unknown as Reporter;
  const session = { config, options: { hostSetup }, reporter } as Session;
  await prepareHost(session, {});
  await showHost(session, {});
  const step = [
    ["setup-host", "Host"],
    ["skipped", reason],
  ];
  expect(told).toEqual([...step, ...step]);
});

test("a folder on a node is prepared", () => {
  const { config } = loadConfig("domain: example.com", "a config", {});
  expect(hostSkip({ config, options: { hostSetup: true } as Session["options"] })).toBeUndefined();
});
