/** A stack with the rules of the model, its users, and an image in each repository. */
import { readFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { tokensOf } from "../../../src/services/gateway/program/tokens.js";
import { type Image, pushImage, putManifest } from "../../e2e/attacks/image.js";
import { basic, type Endpoint } from "../../e2e/attacks/raw.js";
import { Authelia } from "../../support/authelia.js";
import { basicValue } from "../../support/basic.js";
import { type GatewayFiles, gatewayFiles } from "../gateways.js";
import { freePorts, HOST, PlainStack } from "../plainStack.js";
import type { Fuzzed } from "./fuzz.js";
import { PEOPLE, REPOSITORIES, RULES } from "./model.js";
import { PASSWORD } from "./sweep.js";

const USERS = ["ann", "bob", "ci", "anna"];
const TODAY = new Date().toISOString().slice(0, 10);
const HTPASSWD = [
  "# until old 20251231\n",
  `# until today ${TODAY.replaceAll("-", "")}\n`,
  "# until ci 20991231\n",
  ...[...USERS, "old", "today"].map((user) => `${user}:${bcrypt.hashSync(PASSWORD, 4)}\n`),
].join("");

export interface RuledStack {
  stack: PlainStack;
  files: GatewayFiles;
  images: ReadonlyMap<string, Image>;
  /** What the fuzzer needs to know, but for a gateway. */
  fuzzed: Omit<Fuzzed, "gateway">;
  stop(): Promise<void>;
}

/** @param registry of the config, beside the right to delete */
export async function startRuledStack(registry: Record<string, unknown> = {}): Promise<RuledStack> {
  const people = Object.entries(PEOPLE).map(([name, groups]) => [name, { password: PASSWORD, groups }]);
  const [port = 0] = await freePorts(1);
  const authelia = new Authelia(HOST, port, "localhost", Object.fromEntries(people));
  await authelia.start();
  const root = { ...RULES, users: { provider: "both" }, authelia: { url: authelia.url } };
  const config = { ...root, registry: { delete: true, ...registry }, gateway: { cache: "100M" } };
  const stack = await PlainStack.start(config, HTPASSWD);
  const images = new Map<string, Image>();
  const ann = basic("ann", PASSWORD);
  for (const repository of REPOSITORIES)
    images.set(repository, await pushImage(stack.registry, ann, repository, "latest"));
  // The content of one that is immutable.
  await putManifest(stack.registry, ann, images.get("team-a/app") as Image, "v1");
  const files = gatewayFiles(stack);
  return {
    stack,
    files,
    images,
    fuzzed: await fuzzedOf(stack, files, stack.registry),
    stop: async () => {
      await stack.stop();
      await authelia.stop();
    },
  };
}

async function fuzzedOf(
  { storage, folder, machineAuthorization }: PlainStack,
  { config }: GatewayFiles,
  registry: Endpoint,
): Promise<RuledStack["fuzzed"]> {
  const httpSecret = await readFile(`${folder}/secrets/http-secret`, "utf8");
  const credentials = [...USERS, ...Object.keys(PEOPLE)].map((user) => basicValue(user, PASSWORD));
  return {
    storage,
    registry,
    inside: (config.match(/(?<=\blocation .*)\b[a-z]{3,}\b/g) ?? []).map((word) => `/${word}`),
    untimely: (user) => {
      const checked = Date.now() + (Math.random() < 0.5 ? -66_000 : 35_000);
      return tokensOf(httpSecret, 60, Date.now).sign({ user, groups: ["crew"], checked });
    },
    secrets: [
      httpSecret.replace(/^.*: /, "").trim(),
      ...[machineAuthorization, ...credentials].map((value) => value.replace(/^\w+ /, "")),
    ],
  };
}
