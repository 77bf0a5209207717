/**
 * A small client of the OCI distribution specification 1.1 that forgives nothing: every status, header and digest is what
 * the specification says, or it throws.
 */
import { type Descriptor, MEDIA, sha256 } from "./images.js";
import { type Answer, OciTransport } from "./ociTransport.js";

export class OciClient extends OciTransport {
  /** Asks for a token as `docker login` does. */
  async login(): Promise<void> {
    await this.send("GET", "/v2/", [200]);
  }

  async manifest(repository: string, reference: string): Promise<Answer & { digest: string }> {
    const headers = {
      accept: [MEDIA.manifest, MEDIA.index, MEDIA.dockerManifest, MEDIA.dockerIndex].join(", "),
    };
    const path = `/v2/${repository}/manifests/${reference}`;
    const head = await this.send("HEAD", path, [200], { headers });
    const answer = await this.send("GET", path, [200], { headers });
    const digest = expectHeader(answer, "docker-content-digest", sha256(answer.body));
    expectHeader(head, "docker-content-digest", digest);
    expectHeader(head, "content-length", String(answer.body.length));
    const { mediaType } = JSON.parse(String(answer.body)) as { mediaType?: string };
    if (mediaType) expectHeader(answer, "content-type", mediaType);
    return { ...answer, digest };
  }

  async blob(repository: string, { digest, size }: Descriptor): Promise<Buffer> {
    const path = `/v2/${repository}/blobs/${digest}`;
    expectHeader(await this.send("HEAD", path, [200]), "content-length", String(size));
    const { body } = await this.send("GET", path, [200]);
    if (sha256(body) !== digest) throw new Error(`the blob ${digest} came as ${sha256(body)}`);
    const part = await this.send("GET", path, [206], { headers: { range: "bytes=1-" } });
    if (!body.subarray(1).equals(part.body)) throw new Error(`a part of the blob ${digest} is another one`);
    return body;
  }

  async hasBlob(repository: string, digest: string): Promise<boolean> {
    return (await this.send("HEAD", `/v2/${repository}/blobs/${digest}`, [200, 404])).status === 200;
  }

  /** All at once: POST, then PUT. */
  async uploadWhole(repository: string, blob: Buffer): Promise<void> {
    const start = await this.startUpload(repository);
    await this.finishUpload(repository, start, sha256(blob), blob);
  }

  /** In pieces: POST, PATCH for each, PUT. How far it is can be asked for. */
  async uploadInPieces(repository: string, blob: Buffer, size: number): Promise<void> {
    let location = await this.startUpload(repository);
    for (let from = 0; from < blob.length; from += size) {
      const body = blob.subarray(from, from + size);
      const headers = {
        "content-type": "application/octet-stream",
        "content-range": `${from}-${from + body.length - 1}`,
      };
      const answer = await this.send("PATCH", location, [202], { headers, body });
      expectHeader(answer, "range", `0-${from + body.length - 1}`);
      location = this.location(answer);
      const state = await this.send("GET", location, [204]);
      expectHeader(state, "range", `0-${from + body.length - 1}`);
    }
    await this.finishUpload(repository, location, sha256(blob));
  }

  /** Takes a blob over from another repository; nothing is sent. */
  async mount(repository: string, digest: string, from: string): Promise<void> {
    const query = new URLSearchParams({ mount: digest, from });
    const answer = await this.send("POST", `/v2/${repository}/blobs/uploads/?${query}`, [201]);
    expectHeader(answer, "docker-content-digest", digest);
    await this.send("HEAD", this.location(answer), [200]);
  }

  /** Whether a blob can be taken over from another repository. If not, the registry starts an upload, which is cancelled. */
  async isMounted(repository: string, digest: string, from: string): Promise<boolean> {
    const query = new URLSearchParams({ mount: digest, from });
    const answer = await this.send("POST", `/v2/${repository}/blobs/uploads/?${query}`, [201, 202]);
    if (answer.status === 202) await this.send("DELETE", this.location(answer), [204]);
    return answer.status === 201;
  }

  async putManifest(repository: string, reference: string, body: Buffer, mediaType: string): Promise<Answer> {
    const sending = { headers: { "content-type": mediaType }, body };
    const answer = await this.send("PUT", `/v2/${repository}/manifests/${reference}`, [201], sending);
    expectHeader(answer, "docker-content-digest", sha256(body));
    await this.send("HEAD", this.location(answer), [200], { headers: { accept: mediaType } });
    return answer;
  }

  async deleteManifest(repository: string, digest: string): Promise<void> {
    await this.send("DELETE", `/v2/${repository}/manifests/${digest}`, [202]);
    await this.send("GET", `/v2/${repository}/manifests/${digest}`, [404]);
  }

  tags(repository: string): Promise<string[]> {
    return this.pages(`/v2/${repository}/tags/list?n=1`, "tags");
  }

  /** Asks for a token first, as crane does. */
  async catalog(): Promise<string[]> {
    await this.authorize("registry:catalog:*");
    return this.pages("/v2/_catalog?n=2", "repositories");
  }

  /** Who refers to a manifest; where the registry does not keep book, the clients' own tag does. */
  async referrers(repository: string, digest: string): Promise<Descriptor[]> {
    const answer = await this.send("GET", `/v2/${repository}/referrers/${digest}`, [200, 404]);
    if (answer.status === 404) return this.referrersTag(repository, digest);
    expectHeader(answer, "content-type", MEDIA.index);
    return (JSON.parse(String(answer.body)) as { manifests: Descriptor[] }).manifests;
  }

  /** Pushes something that refers to a manifest. */
  async attach(
    repository: string,
    subject: Descriptor,
    artifactType: string,
    content: Buffer,
  ): Promise<string> {
    const empty = Buffer.from("{}");
    await this.uploadWhole(repository, empty);
    await this.uploadWhole(repository, content);
    const { mediaType, digest, size } = subject;
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      artifactType,
      config: { mediaType: MEDIA.empty, digest: sha256(empty), size: empty.length },
      layers: [{ mediaType: artifactType, digest: sha256(content), size: content.length }],
      subject: { mediaType, digest, size },
    };
    const body = Buffer.from(JSON.stringify(manifest));
    const answer = await this.putManifest(repository, sha256(body), body, MEDIA.manifest);
    if (answer.headers.get("oci-subject") === digest) return sha256(body);
    const own = { mediaType: MEDIA.manifest, digest: sha256(body), size: body.length, artifactType };
    const manifests = [...(await this.referrersTag(repository, digest)), own];
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.index, manifests }));
    await this.putManifest(repository, digest.replace(":", "-"), index, MEDIA.index);
    return own.digest;
  }

  private async referrersTag(repository: string, digest: string): Promise<Descriptor[]> {
    const path = `/v2/${repository}/manifests/${digest.replace(":", "-")}`;
    const answer = await this.send("GET", path, [200, 404], { headers: { accept: MEDIA.index } });
    if (answer.status === 404) return [];
    return (JSON.parse(String(answer.body)) as { manifests: Descriptor[] }).manifests;
  }

  private async startUpload(repository: string): Promise<string> {
    return this.location(await this.send("POST", `/v2/${repository}/blobs/uploads/`, [202]));
  }

  private async finishUpload(
    repository: string,
    location: string,
    digest: string,
    body?: Buffer,
  ): Promise<void> {
    const headers = { "content-type": "application/octet-stream" };
    const path = `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(digest)}`;
    const answer = await this.send("PUT", path, [201], body ? { headers, body } : {});
    expectHeader(answer, "docker-content-digest", digest);
    if (!this.location(answer).startsWith(`/v2/${repository}/blobs/`))
      throw new Error("a Location elsewhere");
  }

  /** Follows the pages of a list. */
  private async pages(path: string, key: string): Promise<string[]> {
    const found: string[] = [];
    for (let next: string | undefined = path; next; ) {
      const answer = await this.send("GET", next, [200]);
      found.push(...((JSON.parse(String(answer.body)) as Record<string, string[] | null>)[key] ?? []));
      const link: string | null = answer.headers.get("link");
      next = link === null ? undefined : /^<([^>]+)>; *rel="?next"?$/.exec(link)?.[1];
      if (link !== null && next === undefined) throw new Error(`a Link of another form: ${link}`);
    }
    return found;
  }

  /** The path of a Location, which has to lead back to the same host. */
  private location({ headers }: Answer): string {
    const { origin, pathname, search } = new URL(headers.get("location") ?? "http://missing/", this.url);
    if (origin !== this.url) throw new Error(`the Location leads to ${origin}, not to ${this.url}`);
    return pathname + search;
  }
}

function expectHeader({ headers }: Answer, name: string, value: string): string {
  const found = headers.get(name);
  if (found !== value) throw new Error(`${name} is ${found}, not ${value}`);
  return value;
}
