/** cosign, which signs images with a key and verifies them. What it writes is a tag beside the image. */
import { existsSync } from "node:fs";
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, userOf, type Who } from "./client.js";
import type { Release } from "./release.js";

const KEY = "cosign";
/** There is no transparency log here. */
const SIGN = ["--tlog-upload=false", "--yes", "--allow-http-registry"];
const VERIFY = ["--insecure-ignore-tlog=true", "--allow-http-registry"];

export class Cosign extends Client {
  constructor(workspace: Workspace, release: Release) {
    super("cosign", workspace, release);
  }

  private as(who: Who, args: readonly string[], input = ""): Promise<Run> {
    const variables = [`DOCKER_CONFIG=${this.configOf(who)}`, "COSIGN_PASSWORD="];
    return this.run("env", ["--chdir", this.folder, ...variables, "cosign", ...args], input);
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    const args = ["login", "-u", userOf(who), "--password-stdin", this.workspace.registry];
    return this.as(who, args, PASSWORDS[who]);
  }

  override async sign(who: Who, name: string): Promise<Run> {
    if (!existsSync(`${this.folder}/${KEY}.key`))
      await this.must(this.as(who, ["generate-key-pair", "--output-key-prefix", KEY]));
    return this.as(who, ["sign", "--key", `${KEY}.key`, ...SIGN, this.at(name)]);
  }

  override verify(who: Who, name: string): Promise<Run> {
    return this.as(who, ["verify", "--key", `${KEY}.pub`, ...VERIFY, this.at(name)]);
  }
}
