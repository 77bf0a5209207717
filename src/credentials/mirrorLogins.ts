import { ExitCode, OperatorError } from "../errors.js";
import { Secret } from "./secret.js";

/** The variable with the logins at registries that the mirror copies from, as a Docker config.json. */
export const MIRROR_LOGINS_VARIABLE = "REGISTRY_MIRROR_LOGINS";

const EXAMPLE = '{"auths":{"https://index.docker.io/v1/":{"auth":"<base64 of USER:PASSWORD>"}}}';

/**
 * The logins from the environment, with everything but the logins left out.
 *
 * @returns undefined where the variable is not set
 * @throws OperatorError where it is not a config.json with logins in it. Source: docker/cli, cli/config/configfile.
 */
export function mirrorLoginsFrom(
  environment: Readonly<Record<string, string | undefined>>,
): Secret | undefined {
  const text = environment[MIRROR_LOGINS_VARIABLE];
  if (!text) return undefined;
  const entries = Object.entries(authsOf(text));
  if (entries.length === 0) throw refuse("has no logins");
  const auths = entries.map(([registry, entry]) => {
    const { auth, username, password } = (entry ?? {}) as Record<string, unknown>;
    const login =
      typeof username === "string" && typeof password === "string"
        ? `${username}:${password}`
        : typeof auth === "string"
          ? Buffer.from(auth, "base64").toString()
          : "";
    // A credential store keeps the password elsewhere.
    if (!/^[^:]+:./s.test(login)) throw refuse(`has no user and password for ${JSON.stringify(registry)}`);
    return [registry, { auth: Buffer.from(login).toString("base64") }] as const;
  });
  auths.sort(([a], [b]) => (a < b ? -1 : 1));
  return new Secret(JSON.stringify({ auths: Object.fromEntries(auths) }));
}

function authsOf(text: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw refuse("is not JSON");
  }
  const { auths } = (parsed ?? {}) as { auths?: unknown };
  if (auths === null || typeof auths !== "object" || Array.isArray(auths)) throw refuse("has no auths");
  return auths;
}

const refuse = (reason: string) =>
  new OperatorError(`${MIRROR_LOGINS_VARIABLE} ${reason}`, {
    where: "regsync.logins",
    remedy: `Set it to a Docker config.json with the passwords in it: ${EXAMPLE}`,
    exitCode: ExitCode.credentials,
  });
