import { mkdirSync, writeFileSync } from "node:fs";
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, userOf, type Who } from "./client.js";
import { type Image, type Images, PLATFORMS, TAG } from "./images.js";
import type { Release } from "./release.js";

/** Docker Engine with its classic image store: the daemon pushes and pulls, the command logs in and writes indexes. */
export class Docker extends Client {
  /** Everything that has a name in the engine because of us. */
  private readonly names = new Set<string>();
  private pulled = "";

  constructor(
    workspace: Workspace,
    private readonly images: Images,
    release: Release,
  ) {
    super("docker", workspace, release);
  }

  private docker(who: Who, args: readonly string[], input = ""): Promise<Run> {
    const to = ["--host", this.release.dockerHost, "--config", this.configOf(who)];
    return this.run("docker", [...to, ...args], input);
  }

  private local(image: Image): string {
    return `matrix/${image.name}:${TAG}`;
  }

  override async load(image: Image): Promise<void> {
    const name = this.local(image);
    if (this.names.has(name)) return;
    this.names.add(name);
    const engine = ["--dest-daemon-host", this.release.dockerHost];
    const copy = ["copy", ...engine, `oci:${image.layout}:${TAG}`, `docker-daemon:${name}`];
    await this.must(this.runApart("skopeo", copy));
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    const args = ["login", "-u", userOf(who), "--password-stdin", this.workspace.registry];
    return this.docker(who, args, PASSWORDS[who]);
  }

  override async push(who: Who, image: Image, name: string): Promise<Run> {
    this.names.add(this.at(name));
    await this.must(this.docker(who, ["tag", this.local(image), this.at(name)]));
    return this.docker(who, ["push", this.at(name)]);
  }

  override async pull(who: Who, name: string): Promise<Run> {
    if (this.pulled) await this.docker(who, ["image", "rm", this.pulled]);
    this.pulled = this.at(name);
    this.names.add(this.pulled);
    return this.docker(who, ["pull", this.pulled]);
  }

  override async pushIndex(who: Who, name: string): Promise<Run> {
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

  override async pullIndex(who: Who, name: string): Promise<Run> {
    const parts = PLATFORMS.flatMap((one) => [this.local(this.images.parts[one]), this.at(`${name}-${one}`)]);
    await this.must(this.docker(who, ["image", "rm", ...parts]));
    return this.pull(who, name);
  }

  /** With Debian's own command, which asks for a token that may push (docker/cli, 20.10). */
  override inspect(_who: Who, name: string): Promise<Run> {
    const args = ["--config", this.configOf("inspect"), "manifest", "inspect", "--insecure", this.at(name)];
    return this.run("/usr/bin/docker", args);
  }

  override async build(who: Who, name: string, cache: string): Promise<Run> {
    const context = `${this.folder}/build`;
    mkdirSync(context, { recursive: true });
    writeFileSync(`${context}/Dockerfile`, "FROM scratch\nCOPY Dockerfile /one\nCOPY Dockerfile /two\n");
    // So that what comes from a cache comes from the registry.
    await this.must(this.docker(who, ["buildx", "prune", "--all", "--force"]));
    const caches = ["--cache-from", `type=registry,ref=${this.at(cache)}`];
    caches.push("--cache-to", `type=registry,ref=${this.at(cache)},mode=max`);
    const attestations = ["--provenance", "mode=max"];
    const build = ["buildx", "build", "--progress", "plain", "--push", "--tag", this.at(name)];
    return this.docker(who, [...build, ...caches, ...attestations, context]);
  }

  override async cleanUp(): Promise<void> {
    await this.docker("nobody", ["image", "rm", "--force", ...this.names]);
  }
}
