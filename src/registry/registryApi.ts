import { basicAuthorization, type Login } from "../credentials/people.js";
import { ExitCode, OperatorError, type OperatorErrorDetails } from "../errors.js";
import { buildDate } from "./imageFacts.js";
import { parseReferences } from "./references.js";

/** The registry's HTTP API, asked at its front door. Source: OCI distribution specification 1.1. */

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Names on one page of a list. */
const PAGE = 100;

/** The annotation with the time of the build. Source: OCI image specification, "Pre-Defined Annotation Keys". */
const CREATED = "org.opencontainers.image.created";

interface ManifestBody {
  config?: { digest?: string };
  annotations?: Record<string, unknown>;
}

/** An error of the distribution specification; the reason is what our gateway adds. */
interface RegistryError {
  message?: string;
  detail?: { reason?: string };
}

/** What a tag or digest stands for. */
export interface Manifest {
  digest: string;
  /** Digests of an index's own manifests; what else it lists is left out. */
  children: string[];
  config: string | undefined;
  /** The manifest that this one refers to. */
  subject: string | undefined;
  /** When it was built, by its annotation. */
  created: Date | undefined;
}

/** An answer of the registry that is none of those expected. */
export class UnexpectedAnswer extends OperatorError {
  constructor(
    message: string,
    /** The HTTP status. */
    readonly status: number,
    details: OperatorErrorDetails,
  ) {
    super(message, details);
  }
}

export class RegistryApi {
  constructor(
    private readonly url: string,
    private readonly login: Login,
  ) {}

  /** Names of all repositories. */
  repositories(): Promise<string[]> {
    return this.pages(`/v2/_catalog?n=${PAGE}`, "repositories");
  }

  /** A repository's tags; none where all were deleted. */
  tags(repository: string): Promise<string[]> {
    return this.pages(`/v2/${repository}/tags/list?n=${PAGE}`, "tags");
  }

  /** @returns undefined where it is not there (any more) */
  async manifest(repository: string, reference: string): Promise<Manifest | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const response = await this.ask("GET", path, { accept: MANIFEST_TYPES });
    if (response.status === 404) return undefined;
    const bytes = Buffer.from(await this.expectOk(response, path).arrayBuffer());
    const references = parseReferences(bytes);
    const body = references ? (JSON.parse(bytes.toString("utf8")) as ManifestBody) : {};
    return {
      digest: response.headers.get("docker-content-digest") ?? reference,
      children: references?.manifests ?? [],
      config: body.config?.digest,
      subject: references?.subject,
      created: buildDate(body.annotations?.[CREATED]),
    };
  }

  /** When an image was built, by its config; undefined where it does not say, or says what cannot be. */
  async created(repository: string, config: string): Promise<Date | undefined> {
    const response = await this.ask("GET", `/v2/${repository}/blobs/${config}`);
    if (response.status !== 200) return undefined;
    const { created } = (await response.json().catch(() => ({}))) as { created?: string };
    return buildDate(created);
  }

  /** Deletes a manifest, and with it every tag that names it. */
  async remove(repository: string, digest: string): Promise<void> {
    const path = `/v2/${repository}/manifests/${digest}`;
    const response = await this.ask("DELETE", path);
    if (response.status === 405) throw await this.refusal(response);
    if (response.status !== 404) this.expectOk(response, path);
  }

  /** Why nothing is deleted: the gateway says it in words, and in the detail for programs. */
  private async refusal(response: Response): Promise<OperatorError> {
    const body = (await response.json().catch(() => ({}))) as { errors?: RegistryError[] };
    const { message, detail } = body.errors?.[0] ?? {};
    return new OperatorError(message ?? "the registry does not delete", {
      where: this.url,
      remedy:
        detail?.reason === "read-only"
          ? "Run the same command again when gc has finished: hephaestus status"
          : "Set registry.delete: true, then run hephaestus render and hephaestus deploy.",
      exitCode: ExitCode.verify,
    });
  }

  /** A list in pages, each naming the next in its Link header (RFC 8288). */
  private async pages(first: string, key: "repositories" | "tags"): Promise<string[]> {
    const names: string[] = [];
    for (let path: string | undefined = first; path !== undefined; ) {
      const response: Response = await this.ask("GET", path);
      if (response.status === 404) return names;
      const body = (await this.expectOk(response, path).json()) as Record<string, string[] | null>;
      names.push(...(body[key] ?? []));
      const next = /<([^>]+)>\s*;\s*rel="?next/.exec(response.headers.get("link") ?? "")?.[1];
      const target = next === undefined ? undefined : new URL(next, this.url);
      path = target && `${target.pathname}${target.search}`;
    }
    return names;
  }

  private async ask(method: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
    try {
      return await fetch(`${this.url}${path}`, {
        method,
        headers: { ...headers, authorization: basicAuthorization(this.login) },
        signal: AbortSignal.timeout(30_000),
      });
    } catch (cause) {
      const reason = (cause as { cause?: { code?: string } }).cause?.code ?? (cause as Error).name;
      throw new OperatorError(`does not answer (${reason})`, {
        where: this.url,
        remedy: "See what is wrong with: hephaestus status",
        exitCode: ExitCode.verify,
        cause,
      });
    }
  }

  private expectOk(response: Response, path: string): Response {
    if (response.ok) return response;
    const refused = response.status === 401;
    throw new UnexpectedAnswer(
      refused ? `the password of ${this.login.user} was refused` : `${path} was answered ${response.status}`,
      response.status,
      {
        where: this.url,
        remedy: refused
          ? "Set REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --password-stdin."
          : "See the gateway's log with: hephaestus logs gateway",
        exitCode: refused ? ExitCode.credentials : ExitCode.verify,
      },
    );
  }
}
