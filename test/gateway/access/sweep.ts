/** Every permission of everyone at every repository, asked of a running gateway and compared with the model. */
import { concurrently } from "../../../src/host/concurrently.js";
import { digestOf, type Image, MANIFEST_TYPE, pushImage } from "../../e2e/attacks/image.js";
import { type Answer, basic, type Endpoint } from "../../e2e/attacks/raw.js";
import { ask } from "../attacks/site.js";
import { CALLERS, type Caller, isImmutable, may, type Permission, REPOSITORIES } from "./model.js";

export const PASSWORD = "Anvil-and-hammer-7";

/** The credential of someone, if they have one. */
export const credentialOf = (caller: Caller): string[] =>
  caller === undefined ? [] : [basic(caller, PASSWORD)];

export interface Question {
  permission: Permission;
  method: string;
  target: string;
  headers?: string[];
  body?: string;
  /** Statuses of an answer to someone who may. */
  right: number[];
}

export const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const NO_DIGEST = `sha256:${"0".repeat(64)}`;
const UPLOAD = "00000000-0000-4000-8000-000000000000";
/** Each user asks one in so many of the questions, in each repository another one. The quick run asks a third. */
export const SWEPT = Number(process.env.HEPHAESTUS_SWEEP ?? 1);
const EVERY: readonly string[] = REPOSITORIES;
/** How many requests are under way. */
const AT_ONCE = 6;
/** Where every user may push. */
const OPEN = REPOSITORIES.filter((repository) => repository.startsWith("open/"));
const OCI = `Accept: ${MANIFEST_TYPE}`;
const TYPE = `Content-Type: ${MANIFEST_TYPE}`;

/** Every way of asking for something in a repository, of which none changes it. */
export function questions({ repository, tag, manifestDigest, blobDigest }: Image): Question[] {
  const base = `/v2/${repository}`;
  const read = (path: string, right: number[]): Question[] =>
    ["GET", "HEAD"].map((method) => ({
      permission: "pull",
      method,
      target: `${base}/${path}`,
      headers: [OCI],
      right,
    }));
  return [
    ...read(`manifests/${tag}`, [200]),
    ...read(`manifests/${manifestDigest}`, [200]),
    ...read(`manifests/${manifestDigest.replace(":", "%3A")}`, [200]),
    ...read(`blobs/${blobDigest}`, [200]),
    // Registries of line 2 answer HEAD with 405 there.
    ...read("tags/list", [200, 405]),
    // The registry does not know this address: clients look for a tag instead.
    ...read(`referrers/${manifestDigest}`, [404]),
    {
      permission: "push",
      method: "GET",
      target: `${base}/blobs/uploads/${UPLOAD}?_state=x`,
      right: [400, 404],
    },
    {
      permission: "push",
      method: "PATCH",
      target: `${base}/blobs/uploads/${UPLOAD}?_state=x`,
      body: "x",
      right: [400, 404],
    },
    {
      permission: "push",
      method: "PUT",
      target: `${base}/blobs/uploads/${UPLOAD}?digest=${NO_DIGEST}`,
      body: "x",
      right: [400, 404],
    },
    {
      permission: "push",
      method: "DELETE",
      target: `${base}/blobs/uploads/${UPLOAD}?_state=x`,
      right: [400, 404],
    },
    {
      permission: "push",
      method: "PUT",
      target: `${base}/manifests/new`,
      headers: [TYPE],
      body: "no manifest",
      right: [400],
    },
    {
      permission: "push",
      method: "PUT",
      target: `${base}/manifests/${NO_DIGEST}`,
      headers: [TYPE],
      body: "no manifest",
      right: [400],
    },
    { permission: "delete", method: "DELETE", target: `${base}/manifests/${NO_DIGEST}`, right: [404] },
  ];
}

/** An answer that the model does not give. */
export class Difference extends Error {}

/** What a sweep asks, in parts: each mutation names the part that notices it. */
export type Part = "ends" | "catalogs" | "reserved" | "immutable" | "spellings" | "mounts" | "rights";

export class Sweep {
  constructor(
    private readonly endpoint: Endpoint,
    private readonly images: ReadonlyMap<string, Image>,
  ) {}

  image(repository: string): Image {
    const found = this.images.get(repository);
    if (found === undefined) throw new Error(`No image is in ${repository}.`);
    return found;
  }

  ask(caller: Caller, { method, target, headers = [], body }: Omit<Question, "permission" | "right">) {
    return ask(this.endpoint, method, target, [...credentialOf(caller), ...headers], body);
  }

  /** Throws a `Difference` at the first answer that the model does not give. */
  async everything(oneIn = 1): Promise<void> {
    await this.ends();
    await this.catalogs();
    await this.reserved();
    await this.immutable();
    await this.spellings();
    await this.mounts();
    await this.rights(EVERY, oneIn);
  }

  /** Every way of asking for something in repositories, by everyone; or one in so many of them. */
  async rights(repositories: readonly string[], oneIn = 1): Promise<void> {
    await concurrently(repositories, AT_ONCE, async (repository) => {
      for (const [turn, caller] of CALLERS.entries()) {
        const first = EVERY.indexOf(repository) + turn;
        for (const [index, question] of questions(this.image(repository)).entries())
          if ((first + index) % oneIn === 0) await this.one(caller, repository, question);
        await this.upload(caller, repository);
      }
    });
  }

  /** Nobody has rights by a name of the stack's own accounts in another spelling. */
  async reserved(): Promise<void> {
    const caller = "HEPHAESTUS.TEMPORARY";
    for (const repository of REPOSITORIES.filter((name) => !may(caller, "pull", name))) {
      const { status } = await this.ask(caller, { method: "GET", target: `/v2/${repository}/tags/list` });
      if (status !== 403) throw new Difference(`${caller}: the tags of ${repository} gave ${status}`);
    }
    const { status } = await this.ask(caller, { method: "POST", target: "/v2/other/blobs/uploads/" });
    if (status !== 403) throw new Difference(`${caller}: an upload gave ${status}`);
  }

  /** A user that has ended is refused with a message, but for what anyone may pull. */
  async ends(): Promise<void> {
    for (const user of ["old", "today"])
      for (const [method, target] of [
        ["GET", "/v2/"],
        ["GET", "/auth/token"],
        ["GET", "/v2/shop/private/manifests/latest"],
        ["POST", "/v2/other/blobs/uploads/"],
      ] as const) {
        const { status, body } = await ask(this.endpoint, method, target, [basic(user, PASSWORD), OCI]);
        if (status !== 403 || !body.includes(`the account ${user} ended on 20`))
          throw new Difference(`${user} has ended: ${method} ${target} gave ${status} ${body}`);
      }
    const { status, headers } = await this.ask("ci", { method: "POST", target: "/v2/other/blobs/uploads/" });
    if (status !== 202 || headers["x-account-ends"] !== undefined)
      throw new Difference(`ci: an upload was answered ${status} ${JSON.stringify(headers)}`);
    await this.cancel("ci", headers.location);
  }

  private async one(caller: Caller, repository: string, question: Question): Promise<void> {
    const { status, body } = await this.ask(caller, question);
    const allowed = may(caller, question.permission, repository);
    const refusals = caller === undefined ? [401] : [403];
    const { method, target } = question;
    if (!(allowed ? question.right : refusals).includes(status))
      throw new Difference(
        `${caller ?? "anyone"} (${allowed ? "may" : "may not"}): ${method} ${target} gave ${status} ${body}`,
      );
  }

  /** Starts an upload where that is allowed, and cancels it. */
  private async upload(caller: Caller, repository: string): Promise<void> {
    const target = `/v2/${repository}/blobs/uploads/`;
    const { status, headers } = await this.ask(caller, { method: "POST", target });
    const allowed = may(caller, "push", repository);
    if (status !== (allowed ? 202 : caller === undefined ? 401 : 403))
      throw new Difference(`${caller} (${allowed}): POST ${target} gave ${status}`);
    if (status === 202) await this.cancel(caller, headers.location);
  }

  private async cancel(caller: Caller, location = ""): Promise<void> {
    const { pathname, search } = new URL(location);
    await this.ask(caller, { method: "DELETE", target: pathname + search });
  }

  /** The catalog has what one may pull, on one page and on many. */
  async catalogs(): Promise<void> {
    for (const caller of CALLERS) {
      const expected = REPOSITORIES.filter((repository) => may(caller, "pull", repository)).sort();
      for (const size of [undefined, 2]) {
        const names: string[] = [];
        let target: string | undefined = `/v2/_catalog${size === undefined ? "" : `?n=${size}`}`;
        while (target !== undefined) {
          const { status, body, headers }: Answer = await this.ask(caller, { method: "GET", target });
          if (status !== 200) throw new Difference(`${caller}: ${target} gave ${status} ${body}`);
          names.push(...(JSON.parse(body) as { repositories: string[] }).repositories);
          target = /^<([^>]+)>/.exec(headers.link ?? "")?.[1];
          const last = new URL(target ?? "/", "http://localhost").searchParams.get("last");
          if (last !== null && !may(caller, "pull", last))
            throw new Difference(`${caller}: ${target} names ${last}`);
        }
        const known = names.filter((name) => !/\/once-\d+$/.test(name)).sort();
        if (JSON.stringify(known) !== JSON.stringify(expected))
          throw new Difference(
            `${caller}: the catalog in pages of ${size} is ${known} instead of ${expected}`,
          );
      }
    }
  }

  /** A layer is taken over from where one may pull, and by no spelling of the query from elsewhere. */
  async mounts(): Promise<void> {
    let turn = 0;
    for (const caller of CALLERS.filter((one) => one !== undefined))
      await concurrently(REPOSITORIES, AT_ONCE, async (source) => {
        const { blobDigest } = this.image(source);
        // One after the other.
        const target = OPEN[turn++ % OPEN.length] ?? "";
        const base = `/v2/${target}/blobs/uploads/`;
        const form = `mount=${blobDigest}&from=${source}`;
        const allowed = may(caller, "pull", source);
        const encoded = encodeURIComponent(source);
        const plain = [`?${form}`, `?from=${encoded}&mount=${encodeURIComponent(blobDigest)}`];
        const sly = [
          `?${form.replace("from", "fr%6Fm")}`,
          `?FROM=open/library&${form}`,
          `?${form}&from=open/library`,
          `?from=open/library&${form}`,
          `?/tags/list&${form}`,
          `?x=1;y&${form}`,
          `?x=%zz&${form}`,
          `?mount=${blobDigest}&from=`,
        ];
        for (const query of allowed ? plain : [...plain, ...sly]) {
          const answer = await this.ask(caller, { method: "POST", target: base + query });
          // The layer was taken over already if an earlier one mounted it: what counts is who may.
          if (answer.status !== (allowed ? 201 : 202))
            throw new Difference(`${caller} (${allowed}): mount ${query} gave ${answer.status}`);
          if (answer.status === 202) await this.cancel(caller, answer.headers.location);
        }
        if (allowed) return;
        // For nginx the query ends at a `#`, for the registry it does not.
        const behind = await this.ask(caller, { method: "POST", target: `${base}?#&${form}` });
        if (behind.status !== 404) throw new Difference(`${caller}: a mount behind # gave ${behind.status}`);
        for (const type of ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
          const body = type.includes("boundary")
            ? `${["mount", "from"]
                .map(
                  (name) =>
                    `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${name === "from" ? source : blobDigest}\r\n`,
                )
                .join("")}--x--\r\n`
            : form;
          const answer = await this.ask(caller, {
            method: "POST",
            target: base,
            headers: [`Content-Type: ${type}`],
            body,
          });
          if (answer.status !== 202)
            throw new Difference(`${caller}: mount by a ${type} gave ${answer.status}`);
          await this.cancel(caller, answer.headers.location);
        }
      });
  }

  /** An immutable tag takes the same manifest again and no other; neither it nor what it needs can be deleted. */
  async immutable(): Promise<void> {
    for (const [group, pusher, remover] of [
      ["team-a", "ci", "ann"],
      ["open", "anna", "bob"],
    ] as const) {
      const repository = `${group}/once-${process.hrtime.bigint()}`;
      const base = `/v2/${repository}`;
      const { manifest, manifestDigest, blobDigest } = await pushImage(
        this.endpoint,
        basic(pusher, PASSWORD),
        repository,
        "part",
      );
      const index = JSON.stringify({
        schemaVersion: 2,
        mediaType: INDEX_TYPE,
        manifests: [{ mediaType: MANIFEST_TYPE, digest: manifestDigest, size: manifest.length }],
      });
      const put = (reference: string, body: string, type = MANIFEST_TYPE) =>
        this.ask(pusher, {
          method: "PUT",
          target: `${base}/manifests/${reference}`,
          headers: [`Content-Type: ${type}`],
          body,
        });
      const remove = async (path: string) =>
        (await this.ask(remover, { method: "DELETE", target: `${base}/${path}` })).status;
      const changed = [
        await put("v1", index, INDEX_TYPE),
        await put("v1", index, INDEX_TYPE),
        await put("v1?x=/v2/other/manifests/", manifest),
        await put("v1", manifest),
      ];
      const isKept = isImmutable(repository, "v1");
      const refusal = changed[3]?.body ?? "";
      const statuses = changed.map(({ status }) => status);
      if (
        `${statuses}` !== (isKept ? "201,201,403,403" : "201,201,201,201") ||
        (isKept && !refusal.includes("the tag v1 of"))
      )
        throw new Difference(`${repository}:v1 was answered ${statuses}: ${refusal}`);
      const other = manifest.replace("{", '{"annotations":{"a":"b"},');
      await put(digestOf(other), other);
      const wanted: [string, number][] = [
        ...(isKept
          ? [`manifests/${digestOf(index)}?/manifests/other`, "manifests/v1?x=/v2/other/manifests/other"].map(
              (path): [string, number] => [path, 403],
            )
          : []),
        [`manifests/${digestOf(other)}`, 202],
        ["manifests/v1", isKept ? 403 : 400],
        [`manifests/${digestOf(index)}`, isKept ? 403 : 202],
        [`manifests/${manifestDigest.replace(":", "%3a")}`, isKept ? 403 : 202],
        [`blobs/${blobDigest}`, isKept ? 403 : 202],
      ];
      for (const [path, right] of wanted) {
        const status = await remove(path);
        // Line 3 of the registry deletes by tag.
        if (status !== right && !(right === 400 && status === 202))
          throw new Difference(`DELETE ${path} of ${repository} gave ${status} instead of ${right}`);
      }
    }
  }

  /** Another spelling of a path gives nobody anything of a repository that they may not pull. */
  async spellings(): Promise<void> {
    const { manifestDigest } = this.image("team-a/secret/key");
    const paths = [
      "/v2/team-a%2Fsecret/key",
      "/v2//team-a/secret/key",
      "/v2/open/../team-a/secret/key",
      "/v2/open/%2e%2e/team-a/secret/key",
      "/v2/open/library/..%2f..%2fteam-a/secret/key",
      "/v2/./team-a/secret/key",
      "/%76%32/team-a/secret/key",
      "http://localhost/v2/team-a/secret/key",
    ];
    for (const caller of ["bob", "anna", undefined] as const)
      for (const path of paths)
        for (const end of ["/manifests/latest", `/manifests/${manifestDigest}`, "/tags/list"]) {
          const answer = await this.ask(caller, { method: "GET", target: path + end, headers: [OCI] });
          if (answer.status === 200)
            throw new Difference(`${caller}: GET ${path}${end} gave ${answer.status}`);
        }
    // Not even to those who may pull: what is written in another way names no repository.
    for (const path of paths.slice(0, -1)) {
      const { status } = await this.ask("ann", { method: "GET", target: `${path}/tags/list` });
      if (status !== 404) throw new Difference(`ann: GET ${path}/tags/list gave ${status}`);
    }
  }
}
