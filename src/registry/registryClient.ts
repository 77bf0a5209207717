import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { basicAuthorization, type Login } from "../credentials/userLogin.js";
import { interrupted } from "../docker/failures.js";
import { ExitCode, OperatorError, type OperatorErrorDetails } from "../errors.js";
import { readAtMost, TooLarge } from "../host/readAtMost.js";
import { parseJson } from "../json.js";

/**
 * Requests to a registry's HTTP API. It answers the challenges of any registry: Basic (RFC 7617), and the
 * Bearer protocol of the distribution specification (distribution, docs "Token Authentication
 * Specification").
 */

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

  /** Whether the registry failed, rather than refused: it cannot give what it has, or gives what is none. */
  get isFault(): boolean {
    return this.status >= 500 || this.status < 300;
  }
}

export interface ApiRequest {
  headers?: Readonly<Record<string, string>>;
  /** A function is called for each attempt. */
  body?: Buffer | (() => ReadableStream);
  /** Milliseconds until the answer begins and ends; 0 waits without a limit, for a body of any size. */
  timeout?: number;
}

/** What holds for all requests of a client. */
export interface ClientOptions {
  /** Ends them when it aborts. */
  signal?: AbortSignal | undefined;
  /** Asked before each request that changes something: it throws if nothing may be changed any more. */
  guard?: () => Promise<void> | undefined;
}

/** Milliseconds before a request that failed is sent again. */
const PAUSES = [500, 2000, 5000];
const TRANSIENT = new Set([429, 502, 503, 504]);
/** Requests that may be sent twice. */
const REPEATABLE = new Set(["GET", "HEAD", "PUT"]);
const CHANGING = new Set(["POST", "PUT", "DELETE"]);

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });
/** Bytes of an answer with a token. */
const LARGEST_TOKEN = 1024 * 1024;

export class RegistryClient {
  /** Authorization headers by repository and action. */
  private readonly authorizations = new Map<string, string>();

  constructor(
    readonly url: string,
    private readonly login: Login | undefined,
    private readonly options: ClientOptions = {},
  ) {}

  private get signal(): AbortSignal | undefined {
    return this.options.signal;
  }

  /**
   * Sends a request, logs in where the registry asks for it, and tries again after a passing fault.
   *
   * @param path with its query, below the registry's address
   * @throws OperatorError when there is no answer, or the password is refused
   */
  async request(method: string, path: string, request: ApiRequest = {}): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      const pause = REPEATABLE.has(method) ? PAUSES[attempt] : undefined;
      let response: Response;
      try {
        response = await this.authorized(method, path, request);
      } catch (error) {
        if (this.signal?.aborted) throw interrupted();
        if (error instanceof OperatorError || pause === undefined) throw this.inWords(error);
        await this.pause(pause);
        continue;
      }
      if (!TRANSIENT.has(response.status) || pause === undefined) return response;
      const wanted = Number(response.headers.get("retry-after"));
      await response.body?.cancel();
      await this.pause(wanted > 0 && wanted <= 60 ? wanted * 1000 : pause);
    }
  }

  /** @throws UnexpectedAnswer where the status is no success */
  expectOk(response: Response, path: string): Response {
    if (response.ok) return response;
    throw this.unexpected(response.status, path);
  }

  /** What is thrown for an answer that nobody expects. */
  unexpected(status: number, path: string): UnexpectedAnswer {
    const refused = status === 401;
    const message =
      refused && this.login
        ? `the password of ${this.login.user} was refused`
        : refused
          ? "a login is needed"
          : `${path} was answered ${status}`;
    return new UnexpectedAnswer(message, status, {
      where: this.url,
      remedy: refused
        ? "Set REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --user and --password-stdin."
        : "See the gateway's log with: hephaestus logs gateway",
      exitCode: refused ? ExitCode.credentials : ExitCode.verify,
    });
  }

  /**
   * The body of an answer.
   *
   * @param most bytes that it may have
   * @throws UnexpectedAnswer where it has more
   */
  async read(response: Response, path: string, most: number): Promise<Buffer> {
    try {
      return await readAtMost(bodyOf(response), most);
    } catch (cause) {
      if (this.signal?.aborted) throw interrupted();
      throw cause instanceof TooLarge
        ? this.malformed(response.status, path, cause.message)
        : this.inWords(cause);
    }
  }

  /**
   * A JSON document that is the body of an answer.
   *
   * @throws UnexpectedAnswer where it has another shape
   */
  async document<T>(response: Response, path: string, schema: z.ZodType<T>, most: number): Promise<T> {
    const text = (await this.read(response, path, most)).toString("utf8");
    try {
      return parseJson(schema, text);
    } catch (cause) {
      throw this.malformed(response.status, path, (cause as Error).message);
    }
  }

  /** What is thrown for an answer whose content is none. */
  malformed(status: number, path: string, fault: string): UnexpectedAnswer {
    return new UnexpectedAnswer(`the answer to ${path} is not what a registry gives: ${fault}`, status, {
      where: this.url,
      remedy: "Check the address: is this a registry, and is it one that you trust?",
      exitCode: ExitCode.verify,
    });
  }

  private async authorized(method: string, path: string, request: ApiRequest): Promise<Response> {
    const scope = scopeOf(method, path);
    const known = this.authorizations.get(scope) ?? (this.login && basicAuthorization(this.login));
    const response = await this.send(method, path, request, known);
    if (response.status !== 401) return response;
    const challenge = response.headers.get("www-authenticate") ?? "";
    await response.body?.cancel();
    const answer = await this.answerTo(challenge, scope);
    if (answer === undefined || answer === known) throw this.unexpected(401, path);
    this.authorizations.set(scope, answer);
    return this.send(method, path, request, answer);
  }

  /** The Authorization header that a challenge asks for; undefined where there is none to give. */
  private async answerTo(challenge: string, scope: string): Promise<string | undefined> {
    const basic = this.login && basicAuthorization(this.login);
    if (!/^bearer\b/i.test(challenge)) return basic;
    const parameters = new Map(
      [...challenge.matchAll(/([a-z]+)="([^"]*)"/gi)].map(([, name = "", value = ""]) => [name, value]),
    );
    const realm = new URL(parameters.get("realm") ?? "", this.url);
    const service = parameters.get("service");
    if (service !== undefined) realm.searchParams.set("service", service);
    if (scope !== "") realm.searchParams.set("scope", scope);
    const response = await fetch(realm, {
      headers: basic === undefined ? {} : { authorization: basic },
      signal: this.limit(30_000),
    });
    if (response.status === 401) return undefined;
    if (!response.ok) throw this.unexpected(response.status, realm.pathname);
    const body = await this.document(response, realm.pathname, tokenSchema, LARGEST_TOKEN);
    const token = body.token ?? body.access_token;
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  private async send(
    method: string,
    path: string,
    { headers, body, timeout = 30_000 }: ApiRequest,
    authorization: string | undefined,
  ): Promise<Response> {
    if (CHANGING.has(method)) await this.options.guard?.();
    const content = typeof body === "function" ? body() : body;
    return fetch(new URL(path, this.url), {
      method,
      headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
      signal: this.limit(timeout),
      ...(content === undefined ? {} : { body: content, duplex: "half" }),
    } as RequestInit);
  }

  private limit(timeout: number): AbortSignal {
    const signals = [
      ...(timeout > 0 ? [AbortSignal.timeout(timeout)] : []),
      ...(this.signal ? [this.signal] : []),
    ];
    return AbortSignal.any(signals);
  }

  private async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.signal }).catch(() => {
      throw interrupted();
    });
  }

  private inWords(error: unknown): unknown {
    if (error instanceof OperatorError) return error;
    const { cause, name } = error as { cause?: { code?: string }; name: string };
    return new OperatorError(`does not answer (${cause?.code ?? name})`, {
      where: this.url,
      remedy: "See what is wrong with: hephaestus status",
      exitCode: ExitCode.verify,
      cause: error,
    });
  }
}

/**
 * The body of a response. fetch cancels the body of a response that nothing refers to any more, so it is held
 * here.
 */
export async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body) yield* response.body as unknown as AsyncIterable<Uint8Array>;
}

/** The scope of a request (distribution, docs "Token Scope Documentation"). */
function scopeOf(method: string, path: string): string {
  if (path.startsWith("/v2/_catalog")) return "registry:catalog:*";
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
  if (repository === undefined) return "";
  const actions = method === "DELETE" ? "delete" : /^(?:GET|HEAD)$/.test(method) ? "pull" : "pull,push";
  return `repository:${repository}:${actions}`;
}
