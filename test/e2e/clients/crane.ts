/** crane, of go-containerregistry: it copies from layouts to a registry, and back. */
import { goProgram } from "../../support/goPrograms.js";
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, userOf, type Who } from "./client.js";
import type { Image, Images } from "./images.js";
import type { Release } from "./release.js";

export const CRANE = goProgram(process.env.HEPHAESTUS_CACHE ?? "", "crane");

export class Crane extends Client {
  private pulls = 0;

  constructor(
    workspace: Workspace,
    private readonly images: Images,
    release: Release,
  ) {
    super("crane", workspace, release);
  }

  private async as(who: Who, ...args: string[]): Promise<Run> {
    // It keeps a login without trying it.
    if (who !== "nobody") await this.login(who);
    return this.run("env", [`DOCKER_CONFIG=${this.configOf(who)}`, CRANE, ...args]);
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    const login = ["auth", "login", "-u", userOf(who), "--password-stdin", this.workspace.registry];
    return this.run("env", [`DOCKER_CONFIG=${this.configOf(who)}`, CRANE, ...login], PASSWORDS[who]);
  }

  override push(who: Who, image: Image, name: string): Promise<Run> {
    return this.as(who, "push", image.layout, this.at(name));
  }

  override pull(who: Who, name: string): Promise<Run> {
    return this.as(who, "pull", "--format=oci", this.at(name), `${this.folder}/pulled-${this.pulls++}`);
  }

  override pushIndex(who: Who, name: string): Promise<Run> {
    return this.push(who, this.images.multi, name);
  }

  override pullIndex(who: Who, name: string): Promise<Run> {
    return this.pull(who, name);
  }

  override mount(who: Who, _image: Image, from: string, name: string): Promise<Run> {
    return this.as(who, "copy", this.at(`${from}:1`), this.at(name));
  }

  override tags(who: Who, repository: string): Promise<Run> {
    return this.as(who, "ls", this.at(repository));
  }

  override catalog(who: Who): Promise<Run> {
    return this.as(who, "catalog", this.workspace.registry);
  }

  override inspect(who: Who, name: string): Promise<Run> {
    return this.as(who, "manifest", this.at(name));
  }

  override async remove(who: Who, name: string): Promise<Run> {
    const digest = await this.must(this.as(who, "digest", this.at(name)));
    return this.as(who, "delete", this.at(name.replace(/:.*$/, `@${digest.stdout.trim()}`)));
  }
}
