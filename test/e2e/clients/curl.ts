import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, userOf, type Who } from "./client.js";
import { blobFile, type Descriptor, type Image, type Images, MEDIA } from "./images.js";
import { split } from "./oci.js";
import type { Release } from "./release.js";

const ACCEPT = `Accept: ${[MEDIA.manifest, MEDIA.index, MEDIA.dockerManifest, MEDIA.dockerIndex].join(", ")}`;

/** curl with Basic: what a script does. */
export class Curl extends Client {
  constructor(
    workspace: Workspace,
    private readonly images: Images,
    release: Release,
  ) {
    super("curl", workspace, release);
  }

  /** The answer's body is the output; a status of 400 and more makes it fail. */
  private async curl(who: Who, path: string, ...args: string[]): Promise<Run> {
    const url = path.startsWith("http") ? path : `${this.workspace.registryUrl}/v2/${path}`;
    // The status is the last line of the error output.
    const always = ["--silent", "--show-error", "--fail-with-body", "--write-out", "%{stderr}%{http_code}"];
    return this.run("curl", [...always, ...this.access(who), ...args, url]);
  }

  private access(who: Who): string[] {
    if (who === "nobody") return [];
    const file = `${this.folder}/${who}.netrc`;
    writeFileSync(file, `machine localhost login ${userOf(who)} password ${PASSWORDS[who]}\n`, {
      mode: 0o600,
    });
    return ["--netrc-file", file];
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    return this.curl(who, "");
  }

  override async push(who: Who, image: Image, name: string): Promise<Run> {
    const [repository, tag] = split(name);
    return this.pushManifest(who, image, repository, image.root, tag);
  }

  private async pushManifest(
    who: Who,
    image: Image,
    repository: string,
    { digest, mediaType }: Descriptor,
    reference: string,
  ): Promise<Run> {
    const file = blobFile(image.layout, digest);
    const { manifests, config, layers } = JSON.parse(readFileSync(file, "utf8")) as {
      manifests?: Descriptor[];
      config: Descriptor;
      layers: Descriptor[];
    };
    for (const part of manifests ?? []) {
      const push = await this.pushManifest(who, image, repository, part, part.digest);
      if (push.exitCode !== 0) return push;
    }
    for (const blob of manifests ? [] : [config, ...layers]) {
      const upload = await this.upload(who, repository, blob.digest, blobFile(image.layout, blob.digest));
      if (upload.exitCode !== 0) return upload;
    }
    const content = ["--upload-file", file, "--header", `Content-Type: ${mediaType}`];
    return this.curl(who, `${repository}/manifests/${reference}`, ...content);
  }

  private async upload(who: Who, repository: string, digest: string, file: string): Promise<Run> {
    const post = ["--request", "POST", "--output", "-", "--dump-header", "-"];
    const start = await this.curl(who, `${repository}/blobs/uploads/`, ...post);
    if (start.exitCode !== 0) return start;
    const location = /^location: (\S+)/im.exec(start.stdout)?.[1];
    const content = ["--upload-file", file, "--header", "Content-Type: application/octet-stream"];
    return this.curl(who, `${location}&digest=${digest}`, ...content);
  }

  override async pull(who: Who, name: string): Promise<Run> {
    const [repository, reference] = split(name);
    const manifest = await this.curl(who, `${repository}/manifests/${reference}`, "--header", ACCEPT);
    if (manifest.exitCode !== 0) return manifest;
    const { config, layers } = JSON.parse(manifest.stdout) as { config: Descriptor; layers: Descriptor[] };
    for (const { digest } of [config, ...layers]) {
      const file = `${this.folder}/pulled`;
      const blob = await this.curl(who, `${repository}/blobs/${digest}`, "--output", file);
      if (blob.exitCode !== 0) return blob;
      const found = createHash("sha256").update(readFileSync(file)).digest("hex");
      if (digest !== `sha256:${found}`) return { ...blob, exitCode: 1, all: `${digest} came as ${found}` };
    }
    return manifest;
  }

  override pushIndex(who: Who, name: string): Promise<Run> {
    return this.push(who, this.images.multi, name);
  }

  override async pullIndex(who: Who, name: string): Promise<Run> {
    const [repository, tag] = split(name);
    const index = await this.curl(who, `${repository}/manifests/${tag}`, "--header", ACCEPT);
    if (index.exitCode !== 0) return index;
    for (const { digest } of (JSON.parse(index.stdout) as { manifests: Descriptor[] }).manifests) {
      const pull = await this.pull(who, `${repository}@${digest}`);
      if (pull.exitCode !== 0) return pull;
    }
    return index;
  }

  override async mount(who: Who, image: Image, from: string, name: string): Promise<Run> {
    const [repository, tag] = split(name);
    const file = blobFile(image.layout, image.root.digest);
    const { config, layers } = JSON.parse(readFileSync(file, "utf8")) as {
      config: Descriptor;
      layers: Descriptor[];
    };
    for (const { digest } of [config, ...layers]) {
      const query = `mount=${digest}&from=${from}`;
      const mount = await this.curl(who, `${repository}/blobs/uploads/?${query}`, "--request", "POST");
      if (mount.exitCode !== 0) return mount;
    }
    const content = ["--upload-file", file, "--header", `Content-Type: ${image.root.mediaType}`];
    return this.curl(who, `${repository}/manifests/${tag}`, ...content);
  }

  override tags(who: Who, repository: string): Promise<Run> {
    return this.curl(who, `${repository}/tags/list`);
  }

  override catalog(who: Who): Promise<Run> {
    return this.curl(who, "_catalog");
  }

  override async remove(who: Who, name: string): Promise<Run> {
    const [repository, reference] = split(name);
    const head = await this.curl(who, `${repository}/manifests/${reference}`, "--head", "--header", ACCEPT);
    const digest = /^docker-content-digest: (\S+)/im.exec(head.stdout)?.[1];
    return this.curl(who, `${repository}/manifests/${digest}`, "--request", "DELETE");
  }
}
