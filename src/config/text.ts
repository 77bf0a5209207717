import { z } from "zod";

/**
 * Kinds of text that reach a label, a Traefik rule, an nginx file, a compose file or a shell. Each kind is an
 * allow-list, so that no accepted value can end the place it stands in.
 */
export interface TextKind {
  /** What the value should be, after "is not": "a host name". */
  what: string;
  remedy: string;
  pattern: RegExp;
  maxLength?: number;
  /** What the pattern cannot say. */
  accepts?: (value: string) => boolean;
}

/** The remedy that a schema issue carries to the person who wrote the value. */
export interface IssueParams {
  remedy: string;
}

/**
 * A string schema for one kind of text.
 *
 * @param kind what is allowed, and what to say about other values
 */
export function text(kind: TextKind) {
  const maxLength = kind.maxLength ?? 255;
  return z
    .string()
    .superRefine((value, context) => {
      if (value.length <= maxLength && kind.pattern.test(value) && (kind.accepts?.(value) ?? true)) return;
      context.addIssue({
        code: "custom",
        message: `${quote(value)} is not ${kind.what}`,
        params: { remedy: kind.remedy } satisfies IssueParams,
      });
    })
    .meta({ pattern: kind.pattern.source, maxLength });
}

/** The value as it may stand in a message: one line, cut to a readable length. */
export function quote(value: unknown): string {
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}…"` : shown;
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/;
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** IPv4 networks in CIDR notation: 10.0.0.0/8. */
export const ipv4Network = () =>
  text({
    what: "a network in CIDR notation",
    remedy: "Write an IPv4 address and a prefix length, such as 10.0.0.0/8.",
    pattern: new RegExp(`${IPV4.source.replace(/\$$/, "")}/(?:[0-9]|[12]\\d|3[0-2])$`),
  });

export const isIPv4 = (value: string): boolean => IPV4.test(value);

/** A DNS name in lower case (RFC 1123) or an IPv4 address. */
export const hostName = (maxLength = 253) =>
  text({
    what: "a host name",
    remedy:
      "Use lower-case letters, digits, dots and hyphens, such as registry.example.com, without https:// and without a port.",
    pattern: HOST,
    maxLength,
  });

/** An image reference as Docker's reference grammar allows it: [host[:port]/]path[:tag][@digest]. */
export const imageReference = () =>
  text({
    what: "an image reference",
    remedy:
      "Write it as for docker pull, such as registry:2.8.3 or mirror.example.com/registry:2.8.3@sha256:….",
    pattern:
      /^(?:[a-zA-Z0-9.-]+(?::\d{1,5})?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$/,
  });

/**
 * What no accepted text holds, as part of a character class: what Docker's YAML parser refuses, or takes for
 * a new line.
 */
export const UNPRINTABLE = "\\p{Cc}\\p{Cs}\\u2028\\u2029\\uFFFE\\uFFFF";

/** An absolute path on a node. */
export const absolutePath = () =>
  text({
    what: "an absolute path of a folder",
    remedy:
      "Start with /, name a folder below the root, leave out . and .. and quotes, $, `, \\, : and control characters.",
    pattern: new RegExp(`^(?!.*/\\.{1,2}(?:/|$))(?:/[^/${UNPRINTABLE}"'$\`\\\\:,]+)+/?$`, "u"),
    maxLength: 1024,
  });

/** One line of text for people: a page title. The UI's start script puts it through sed and into HTML. */
export const title = () =>
  text({
    what: "a title of one line",
    remedy: "Use letters, digits, spaces and . , : ; ! ? ( ) _ / + @ # ' -, at most 80 characters.",
    pattern: /^[\p{L}\p{N}(][\p{L}\p{M}\p{N} .,:;!?()_/+@#'-]*$/u,
    maxLength: 80,
  });

/** A name of a Docker object (network, node label key): letters, digits, _ . - */
export const objectName = (what: string) =>
  text({
    what,
    remedy: "Use letters, digits, underscores, dots and hyphens, and begin with a letter or digit.",
    pattern: /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
    maxLength: 63,
  });

/** A short name in lower case: letters and digits, with single hyphens between them. */
export const shortName = () =>
  text({
    what: "a name",
    remedy: "Use lower-case letters, digits and hyphens.",
    pattern: /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
    maxLength: 64,
  });

/** A name in Traefik's static or dynamic configuration, where a provider suffix may follow. */
export const traefikName = (what: string) =>
  text({
    what,
    remedy:
      "Use letters, digits, underscores, dots and hyphens; a provider may follow, as in secure-headers@file.",
    pattern: /^[a-zA-Z0-9][a-zA-Z0-9_.-]*(?:@[a-z]+)?$/,
  });

/** Memory as Docker writes it: 512M, 1G. Swarm refuses less than 4 MiB. */
export const byteSize = () =>
  text({
    what: "an amount of memory",
    remedy: "Write a number and a unit, such as 512M or 1G; 4M at least.",
    pattern: /^(?:(?:[4-9]|[1-9]\d{1,6})[mM]|[1-9]\d{0,6}[gG])[bB]?$/,
  });

/**
 * A time in whole seconds: 5s.
 *
 * @param least smallest number of seconds that is taken
 * @param most the largest one
 */
export const seconds = (least: number, most: number) =>
  text({
    what: `a time of ${least}s to ${most}s`,
    remedy: `Write whole seconds with an s behind them, from ${least}s to ${most}s.`,
    pattern: /^[1-9]\d{0,3}s$/,
    accepts: (value) => secondsOf(value) >= least && secondsOf(value) <= most,
  });

/** Days: 30d. */
export const days = (example: string) =>
  text({
    what: "a number of days",
    remedy: `Write days with a d behind them, such as ${example}.`,
    pattern: /^[1-9]\d{0,4}d$/,
  });

/** The number in a time such as 5s. */
export const secondsOf = (time: string): number => Number.parseInt(time, 10);

/** A placement constraint of Swarm: node.role == manager. */
export const placementConstraint = () =>
  text({
    what: "a placement constraint",
    remedy:
      "Write it as Swarm does: node.role == manager, node.labels.disk != slow, node.hostname == forge-1.",
    pattern:
      /^(?:node\.(?:id|hostname|role|ip|platform\.(?:os|arch)|labels\.[a-zA-Z0-9_./-]+)|engine\.labels\.[a-zA-Z0-9_./-]+) ?(?:==|!=) ?[a-zA-Z0-9_./-]+$/,
  });

/** A label over whose values Swarm spreads tasks. Source: docker service create, --placement-pref. */
export const nodeLabel = () =>
  text({
    what: "a label of nodes",
    remedy: "Write it as Swarm does: node.labels.zone, engine.labels.rack.",
    pattern: /^(?:node|engine)\.labels\.[a-zA-Z0-9_./-]+$/,
  });
