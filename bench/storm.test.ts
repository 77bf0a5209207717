import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { test } from "vitest";
import { type Blob, push, putManifest, randomBlob } from "../test/e2e/load.js";
import { CREDENTIALS, PASSWORD, USER, writeConfig } from "../test/e2e/stack.js";
import { useSwarm } from "../test/e2e/swarm.js";
import { Workspace } from "../test/e2e/workspace.js";
import { basicValue } from "../test/support/basic.js";
import { type ManagerNode, Nodes, startNodes } from "../test/support/nodes.js";
import { startS3Server } from "../test/support/s3Server.js";
import { startCountingProxy } from "./countingProxy.js";

/** A hundred clients pull one image at once from a bucket, with and without the gateway's cache. Run with: npm run bench:storm */

const CLIENTS = 100;
const LAYERS = 4;
const LAYER_BYTES = 50_000_000;
const AUTHORIZATION = basicValue(USER, PASSWORD);
const PROXY_PORT = 7071;

test("a storm of pulls", { timeout: 1_200_000 }, async () => {
  const swarm = useSwarm();
  const dir = await mkdtemp(`${tmpdir()}/s-`);
  const { registry3, nginx } = swarm.images;
  const nodes = new Nodes(dir, 1, 78);
  await startNodes(nodes, swarm.dockerHost, [registry3, nginx]);
  const s3 = await startS3Server(process.env.HEPHAESTUS_CACHE ?? "", `${dir}/s3`, nodes.address, ["images"]);
  const proxy = await startCountingProxy(nodes.address, PROXY_PORT, { host: nodes.address, port: 7070 });
  const forge = await Workspace.create("forge", 5000, 8080);
  const [node] = nodes.nodes as [ManagerNode];
  const url = `http://${node.address}:5000`;
  const env = {
    ...CREDENTIALS,
    DOCKER_HOST: node.dockerHost,
    REGISTRY_S3_ACCESS_KEY_ID: s3.accessKeyId,
    REGISTRY_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
  const rows: string[] = [];
  try {
    for (const cache of [undefined, "1G"]) {
      await writeConfig(forge, swarm, {
        root: { domain: node.address },
        registry: {
          image: registry3,
          storage: { driver: "s3", bucket: "images", endpoint: `http://${nodes.address}:${PROXY_PORT}` },
        },
        gateway: cache === undefined ? {} : { cache },
        ui: { enabled: false },
      });
      await forge.hephaestus(["render"]);
      const run = await forge.hephaestus(["deploy", "--resolve-image", "never"], { env });
      if (run.exitCode !== 0) throw new Error(run.all);
      const layers = Array.from({ length: LAYERS }, () => randomBlob(LAYER_BYTES));
      const repository = cache === undefined ? "storm/plain" : "storm/cached";
      await push(url, repository, layers, { authorization: AUTHORIZATION });
      await putManifest(url, repository, layers, { authorization: AUTHORIZATION });
      proxy.take();
      const began = performance.now();
      const faults = (
        await Promise.all(Array.from({ length: CLIENTS }, () => pullImage(url, repository, layers)))
      ).filter((fault) => fault !== "");
      const seconds = (performance.now() - began) / 1000;
      const megabytes = (CLIENTS * LAYERS * LAYER_BYTES) / 1e6;
      rows.push(
        `| ${cache === undefined ? "without" : "with"} | ${seconds.toFixed(1)} s | ${(megabytes / seconds).toFixed(0)} MB/s | ${(proxy.take() / 1e6).toFixed(0)} MB | ${faults.length} ${[...new Set(faults)].join("; ")} |`,
      );
    }
  } finally {
    await nodes.stop();
    proxy.stop();
    s3.stop();
    await rm(forge.folder, { recursive: true, force: true });
    await rm(dir, { recursive: true, force: true });
  }
  console.log(
    [
      `${CLIENTS} clients pull one image of ${(LAYERS * LAYER_BYTES) / 1e6} MB at once`,
      "",
      "| cache | all have it after | together | read from S3 | failed |",
      "| --- | --- | --- | --- | --- |",
      ...rows,
    ].join("\n"),
  );
});

/**
 * Pulls the layers of an image, three at once, as docker does.
 *
 * @returns what failed; empty where all bytes came
 */
async function pullImage(url: string, repository: string, layers: readonly Blob[]): Promise<string> {
  const agent = new Agent({ keepAlive: true, maxSockets: 3 });
  const faults = await Promise.all(
    layers.map(({ digest }) => faultOf(agent, `${url}/v2/${repository}/blobs/${digest}`)),
  );
  agent.destroy();
  return faults.find((fault) => fault !== "") ?? "";
}

const faultOf = (agent: Agent, url: string): Promise<string> =>
  new Promise((resolve) => {
    let bytes = 0;
    request(url, { agent }, (answer) => {
      answer.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      answer.on("end", () => {
        const isWhole = answer.statusCode === 200 && bytes === LAYER_BYTES;
        resolve(isWhole ? "" : `status ${answer.statusCode}`);
      });
      answer.on("error", () => resolve("broke off"));
    })
      .on("error", (error) => resolve(error.message))
      .end();
  });
