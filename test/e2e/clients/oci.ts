import { readFileSync } from "node:fs";
import type { Run, Workspace } from "../workspace.js";
import { Client, userAndPassword, type Who } from "./client.js";
import { blobFile, type Descriptor, type Image, type Images, TAG } from "./images.js";
import { OciClient } from "./ociClient.js";
import type { Release } from "./release.js";

const PIECE = 32 * 1024 ** 2;

interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

/** Our own strict client of the distribution specification. */
export class Oci extends Client {
  constructor(
    workspace: Workspace,
    private readonly images: Images,
    release: Release,
  ) {
    super("oci", workspace, release);
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    return asRun(() => this.as(who).login());
  }

  override push(who: Who, image: Image, name: string): Promise<Run> {
    return asRun(() => pushLayout(this.as(who), image, name));
  }

  override pull(who: Who, name: string): Promise<Run> {
    return asRun(() => pullImage(this.as(who), ...split(name)));
  }

  override pushIndex(who: Who, name: string): Promise<Run> {
    return this.push(who, this.images.multi, name);
  }

  override pullIndex(who: Who, name: string): Promise<Run> {
    return asRun(async () => {
      const client = this.as(who);
      const [repository, tag] = split(name);
      const { body } = await client.manifest(repository, tag);
      const { manifests } = JSON.parse(String(body)) as { manifests: Descriptor[] };
      for (const { digest } of manifests) await pullImage(client, repository, digest);
    });
  }

  override mount(who: Who, image: Image, from: string, name: string): Promise<Run> {
    return asRun(async () => {
      const client = this.as(who);
      const [repository, tag] = split(name);
      const manifest = readFileSync(blobFile(image.layout, image.root.digest));
      const { config, layers } = JSON.parse(String(manifest)) as Manifest;
      for (const { digest } of [config, ...layers]) await client.mount(repository, digest, from);
      await client.putManifest(repository, tag, manifest, image.root.mediaType);
    });
  }

  override tags(who: Who, repository: string): Promise<Run> {
    return asRun(() => this.as(who).tags(repository));
  }

  override catalog(who: Who): Promise<Run> {
    return asRun(() => this.as(who).catalog());
  }

  override refer(who: Who, name: string): Promise<Run> {
    return asRun(async () => {
      const client = this.as(who);
      const [repository, tag] = split(name);
      const { digest, headers, body } = await client.manifest(repository, tag);
      const subject = { mediaType: String(headers.get("content-type")), digest, size: body.length };
      const types = ["application/vnd.example.signature", "application/vnd.example.bill"];
      const attached: string[] = [];
      for (const type of types)
        attached.push(await client.attach(repository, subject, type, Buffer.from(`{"of":"${type}"}`)));
      const found = await client.referrers(repository, digest);
      if (String(found.map((one) => one.digest).sort()) !== String(attached.sort()))
        throw new Error(`attached ${attached}, found ${JSON.stringify(found)}`);
    });
  }

  override remove(who: Who, name: string): Promise<Run> {
    return asRun(async () => {
      const client = this.as(who);
      const [repository, tag] = split(name);
      const { digest } = await client.manifest(repository, tag);
      await client.deleteManifest(repository, digest);
    });
  }

  private as(who: Who): OciClient {
    const { registryUrl } = this.workspace;
    return new OciClient(registryUrl, who === "nobody" ? undefined : userAndPassword(who));
  }
}

/** Pushes a layout: big layers in pieces, the others at once. */
export async function pushLayout(client: OciClient, { layout, root }: Image, name: string): Promise<void> {
  const [repository, tag] = split(name);
  const push = async ({ digest, mediaType }: Descriptor, reference: string): Promise<void> => {
    const body = readFileSync(blobFile(layout, digest));
    const { manifests, config, layers } = JSON.parse(String(body)) as Manifest & { manifests?: Descriptor[] };
    for (const part of manifests ?? []) await push(part, part.digest);
    for (const { digest: blob, size } of manifests ? [] : [config, ...layers]) {
      const bytes = readFileSync(blobFile(layout, blob));
      if (size < 100_000) await client.uploadWhole(repository, bytes);
      else await client.uploadInPieces(repository, bytes, Math.min(PIECE, Math.ceil(size / 3)));
    }
    await client.putManifest(repository, reference, body, mediaType);
  };
  await push(root, tag);
}

async function pullImage(client: OciClient, repository: string, reference: string): Promise<void> {
  const { body } = await client.manifest(repository, reference);
  const { config, layers } = JSON.parse(String(body)) as Manifest;
  for (const blob of [config, ...layers]) await client.blob(repository, blob);
}

/** Repository, and tag or digest. */
export function split(name: string): [repository: string, reference: string] {
  const [, repository = name, reference = TAG] = /^([^:@]+)[:@](.+)$/.exec(name) ?? [];
  return [repository, reference];
}

async function asRun(work: () => Promise<unknown>): Promise<Run> {
  try {
    const stdout = JSON.stringify((await work()) ?? "done");
    return { exitCode: 0, stdout, stderr: "", all: stdout };
  } catch (error) {
    const stderr = String(error);
    return { exitCode: 1, stdout: "", stderr, all: stderr };
  }
}
