import { RENEWAL_DAYS } from "../config/limits.js";
import type { Config } from "../config/resolve.js";
import { DAY_MILLISECONDS } from "../credentials/dates.js";
import { type Certificate, readCertificate } from "../frontDoor/certificate.js";
import type { FrontDoorAnswer } from "../frontDoor/questions.js";
import { AUTHELIA_REMEDIES, givesAnonymousTokens } from "../frontDoor/questions.js";
import type { Check } from "./check.js";
import { readClock } from "./clock.js";
import { type Lookup, lookUp } from "./dns.js";
import { judgeClock } from "./engineChecks.js";
import { error, type Finding, warning } from "./finding.js";

/** Codes of faults that the lookup of the name reports. */
const NAME_CODES = new Set(["ENOTFOUND", "EAI_AGAIN", "ETIMEOUT", "ENODATA"]);

/** Codes of faults that the check of the certificate reports (Node's TLS and OpenSSL's verify codes). */
const CERTIFICATE_CODE = /CERT|SIGNATURE|CRL|ISSUER/;

/** Whether the public names stand for something, and for the same. */
export function judgeHostNames(lookups: readonly Lookup[]): Finding[] {
  const findings = lookups
    .filter(({ code }) => code !== undefined)
    .map(({ host, code }) =>
      error(
        "name-unknown",
        `${host} does not resolve`,
        `looked up from this machine: ${code}`,
        "Add a DNS record for it that points at Traefik (or at this node, with expose: ports).",
      ),
    );
  const [first, ...others] = lookups.filter(({ code }) => code === undefined);
  for (const other of others) {
    if (first === undefined || other.addresses.some((address) => first.addresses.includes(address))) continue;
    findings.push(
      warning(
        "names-differ",
        `${first.host} and ${other.host} point at different addresses`,
        `${first.addresses.join(", ")}; ${other.addresses.join(", ")}`,
        "Let both DNS records point at the same Traefik.",
      ),
    );
  }
  return findings;
}

/** A host's certificate; it is Traefik's, unless TLS ends before it. */
export function judgeCertificate(
  host: string,
  certificate: Certificate,
  now: Date,
  endsAtTraefik = true,
): Finding[] {
  const { from, until, subject, issuer, nameFault, trustFault } = certificate;
  const shown = `it shows ${subject}, signed by ${issuer}, valid until ${until.toISOString().slice(0, 10)}`;
  // Traefik shows this where it has none for a host. Source: traefik/traefik, pkg/tls/generate.
  const ofTraefik = /TRAEFIK DEFAULT CERT/i.test(subject)
    ? "Traefik has no certificate for it: set traefik.certResolver, and see the log of Traefik for errors of its resolver."
    : "See the log of Traefik for why its resolver does not renew it.";
  const renewal = endsAtTraefik
    ? ofTraefik
    : "Give the tunnel or load balancer that ends TLS (traefik.tls: false) a certificate for it.";
  const findings: Finding[] = [];
  if (nameFault !== undefined)
    findings.push(
      error("certificate-wrong-name", `${host} has a certificate for another name`, shown, renewal),
    );
  if (until < now)
    findings.push(error("certificate-expired", `the certificate of ${host} has ended`, shown, renewal));
  else if (from > now)
    findings.push(
      error(
        "certificate-not-yet-valid",
        `the certificate of ${host} is not valid yet`,
        `it begins on ${from.toISOString()}`,
        "Compare the clocks of this machine and of who signed it.",
      ),
    );
  else if (until.getTime() - now.getTime() < RENEWAL_DAYS * DAY_MILLISECONDS)
    findings.push(
      warning(
        "certificate-ends-soon",
        `the certificate of ${host} ends in less than ${RENEWAL_DAYS} days`,
        shown,
        renewal,
      ),
    );
  if (trustFault !== undefined)
    findings.push(
      error(
        "certificate-untrusted",
        `the certificate of ${host} is not trusted here`,
        `${trustFault}: ${shown}`,
        `${renewal} If your own authority signed it, set NODE_EXTRA_CA_CERTS here, and make every client trust it.`,
      ),
    );
  return findings;
}

/** Judges the answers at the front door: first what is open that should not be, then what does not work, once per address. */
export function judgeFrontDoor(config: Config, checks: readonly FrontDoorAnswer[]): Finding[] {
  const findings: Finding[] = [];
  const broken: FrontDoorAnswer[] = [];
  for (const check of checks) {
    if (check.fault === undefined || check.authelia || toldElsewhere(check.code)) continue;
    const open = opening(config, check);
    if (open) findings.push(open);
    else broken.push(check);
  }
  findings.push(...judgeAuthelia(checks));
  const serviceOf = ({ id }: FrontDoorAnswer) =>
    id === "admin" ? "registry-admin" : id.startsWith("library") ? "registry-ui" : "gateway";
  const groups = (
    [
      ["registry", "gateway"],
      ["library", "registry-ui"],
      ["admin UI", "registry-admin"],
    ] as const
  ).map(
    ([what, service]) => [what, broken.filter((check) => serviceOf(check) === service), service] as const,
  );
  for (const [what, faults, service] of groups) {
    if (faults.length === 0) continue;
    const silent = faults.every(({ code }) => code !== undefined);
    findings.push(
      error(
        silent ? "front-door-silent" : "front-door-wrong",
        silent ? `the ${what} does not answer` : `the ${what} does not answer as it should`,
        [...new Set(faults.map(({ fault }) => fault))].join("; "),
        config.expose === "traefik"
          ? `See that ${service} and Traefik run (hephaestus status, hephaestus logs ${service}).`
          : `See that ${service} runs (hephaestus status, hephaestus logs ${service}).`,
      ),
    );
  }
  return findings;
}

/** Authelia's faults, whichever host shows them. */
const judgeAuthelia = (checks: readonly FrontDoorAnswer[]): Finding[] =>
  (
    [
      ["silent", "authelia-silent", "Authelia does not answer, so its users cannot log in"],
      ["refuses", "authelia-refuses", "Authelia's rules or session cookies do not suit a host of the stack"],
    ] as const
  ).flatMap(([kind, id, message]) => {
    const faults = checks.filter(({ authelia }) => authelia === kind).map(({ fault }) => fault);
    return faults.length === 0 ? [] : [error(id, message, faults.join("; "), AUTHELIA_REMEDIES[kind])];
  });

const toldElsewhere = (code: string | undefined): boolean =>
  code !== undefined && (NAME_CODES.has(code) || CERTIFICATE_CODE.test(code));

/** A wrong answer that allows what is forbidden. */
function opening(config: Config, { id, status = 0, fault = "" }: FrontDoorAnswer): Finding | undefined {
  const letIn = status >= 200 && status < 300;
  const again = "Run hephaestus deploy, then hephaestus doctor again.";
  if (id === "anonymous-write" && letIn)
    return error("anonymous-write", "anyone can push without a login", fault, again);
  const but =
    config.access.length > 0
      ? "though registry.pull and access forbid it"
      : "but registry.pull is authenticated";
  if (id === "anonymous-token" && !givesAnonymousTokens(config) && letIn)
    return error("anonymous-pull", `anyone can pull, ${but}`, fault, again);
  // 404 is the registry's own answer: the question got there.
  if (id === "anonymous-read" && (letIn || status === 404))
    return error("anonymous-pull", `anyone can read, ${but}`, fault, again);
  if (id === "library-write" && letIn)
    return error("library-writes", "anyone can delete images through the library", fault, again);
  if ((id === "library" && config.ui.access === "sso") || id === "admin") {
    if (!letIn) return undefined;
    return error(
      id === "admin" ? "admin-open" : "library-open",
      `the ${id === "admin" ? "admin UI" : "library"} asks for no login, but the config puts it behind Authelia`,
      fault,
      "See Traefik's middleware (authelia.middleware) and Authelia's access_control for its host; `one_factor` or stricter.",
    );
  }
  return undefined;
}

export const nameCheck: Check = {
  id: "names",
  title: "DNS",
  theme: "Front door",
  needs: "front door",
  run: async ({ urls }) => {
    const hosts = Object.values(urls).flatMap((url) => (url === undefined ? [] : [new URL(url).hostname]));
    return judgeHostNames(await Promise.all([...new Set(hosts)].map(lookUp)));
  },
};

export const certificateCheck: Check = {
  id: "certificates",
  title: "certificates",
  theme: "Front door",
  needs: "front door",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, urls }) => {
    const findings = Object.values(urls).map(async (url) => {
      const certificate = url === undefined ? undefined : await readCertificate(url);
      return certificate
        ? judgeCertificate(new URL(url ?? "").hostname, certificate, new Date(), config.traefik.tls)
        : [];
    });
    return (await Promise.all(findings)).flat();
  },
};

export const frontDoorCheck: Check = {
  id: "front-door",
  title: "answers at the front door",
  theme: "Front door",
  needs: "front door",
  run: async ({ config, frontDoor }) => judgeFrontDoor(config, await frontDoor()),
};

export const frontDoorClockCheck: Check = {
  id: "front-door-clock",
  title: "clock of the front door",
  theme: "Front door",
  needs: "front door",
  run: async ({ urls }) => {
    const reading = await readClock(`${urls.registry}/v2/`);
    return reading ? judgeClock("clock-front-door", "the front door", reading) : [];
  },
};
