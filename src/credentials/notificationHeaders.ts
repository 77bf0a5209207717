import { ExitCode, OperatorError } from "../errors.js";
import { Secret } from "./secret.js";

/** The variable with the headers of each receiver of notifications. */
export const NOTIFICATION_HEADERS_VARIABLE = "REGISTRY_NOTIFICATION_HEADERS";

const EXAMPLE = '{"ci":{"Authorization":"Bearer <token>"}}';

/** Name and value of a header. Source: RFC 9110, 5.1 and 5.5. */
const NAME = /^[!#$%&'*+.^_`|~\w-]{1,100}$/;
const VALUE = /^[\x20-\x7e]{0,4096}$/;

/**
 * The headers from the environment: of each receiver by its name.
 *
 * @returns undefined where the variable is not set
 * @throws OperatorError where it is anything else; what is in it is not shown
 */
export function notificationHeadersFrom(
  environment: Readonly<Record<string, string | undefined>>,
): Secret | undefined {
  const text = environment[NOTIFICATION_HEADERS_VARIABLE];
  if (!text) return undefined;
  const receivers = objectOf(parse(text), "is no object");
  for (const [receiver, headers] of Object.entries(receivers)) {
    for (const [name, value] of Object.entries(objectOf(headers, `has no object for ${receiver}`))) {
      if (!NAME.test(name))
        throw refuse(`is refused: the name of a header for ${receiver} is not one that HTTP allows`);
      if (typeof value !== "string" || !VALUE.test(value))
        throw refuse(`is refused: the value of ${name} for ${receiver} is not one that HTTP allows`);
    }
  }
  return new Secret(JSON.stringify(receivers));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse("is not JSON");
  }
}

function objectOf(value: unknown, reason: string): Record<string, unknown> {
  if (value !== null && typeof value === "object" && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw refuse(reason);
}

const refuse = (reason: string) =>
  new OperatorError(`${NOTIFICATION_HEADERS_VARIABLE} ${reason}`, {
    where: "notifications",
    remedy: `Set it to the headers of each receiver by its name: ${EXAMPLE}`,
    exitCode: ExitCode.credentials,
  });
