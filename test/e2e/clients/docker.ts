import { mkdirSync } from "node:fs";
import { USER } from "../stack.js";
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, type Who } from "./client.js";
import { type Image, type Images, PLATFORMS, TAG } from "./images.js";

/** Docker Engine with its classic image store: the daemon pushes and pulls, the command logs in and writes indexes. */
export class Docker extends Client {
  /** Everything that has a name in the engine because of us. */
  private readonly names = new Set<string>();
  private pulled = "";

  constructor(
    workspace: Workspace,
    private readonly images: Images,
  ) {
    super("docker", workspace);
  }

  private docker(who: Who, args: readonly string[], input = ""): Promise<Run> {
    const config = `${this.folder}/${who}`;
    mkdirSync(config, { recursive: true });
    return this.run("docker", ["--config", config, ...args], input);
  }

  private local(image: Image): string {
    return `matrix/${image.name}:${TAG}`;
  }

  async load(image: Image): Promise<void> {
    const name = this.local(image);
    if (this.names.has(name)) return;
    this.names.add(name);
    const engine = ["--dest-daemon-host", String(process.env.DOCKER_HOST)];
    const copy = ["copy", ...engine, `oci:${image.layout}:${TAG}`, `docker-daemon:${name}`];
    await this.must(this.runApart("skopeo", copy));
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    const args = ["login", "-u", USER, "--password-stdin", this.workspace.registry];
    return this.docker(who, args, PASSWORDS[who]);
  }

  async push(who: Who, image: Image, name: string): Promise<Run> {
    this.names.add(this.at(name));
    await this.must(this.docker(who, ["tag", this.local(image), this.at(name)]));
    return this.docker(who, ["push", this.at(name)]);
  }

  async pull(who: Who, name: string): Promise<Run> {
    if (this.pulled) await this.docker(who, ["image", "rm", this.pulled]);
    this.pulled = this.at(name);
    this.names.add(this.pulled);
    return this.docker(who, ["pull", this.pulled]);
  }

  async pushIndex(who: Who, name: string): Promise<Run> {
    const parts: string[] = [];
    for (const platform of PLATFORMS) {
      const image = this.images.parts[platform];
      await this.load(image);
      const part = `${name}-${platform}`;
      const push = await this.push(who, image, part);
      if (push.exitCode !== 0) return push;
      parts.push(this.at(part));
    }
    const create = await this.docker(who, ["manifest", "create", "--insecure", this.at(name), ...parts]);
    if (create.exitCode !== 0) return create;
    return this.docker(who, ["manifest", "push", "--insecure", this.at(name)]);
  }

  async pullIndex(who: Who, name: string): Promise<Run> {
    const parts = PLATFORMS.flatMap((one) => [this.local(this.images.parts[one]), this.at(`${name}-${one}`)]);
    await this.must(this.docker(who, ["image", "rm", ...parts]));
    return this.pull(who, name);
  }

  /** With Debian's own command, which asks for a token that may push (docker/cli, 20.10). */
  override inspect(_who: Who, name: string): Promise<Run> {
    const config = `${this.folder}/inspect`;
    mkdirSync(config, { recursive: true });
    const args = ["--config", config, "manifest", "inspect", "--insecure", this.at(name)];
    return this.run("/usr/bin/docker", args);
  }

  override async cleanUp(): Promise<void> {
    await this.docker("nobody", ["image", "rm", "--force", ...this.names]);
  }
}
