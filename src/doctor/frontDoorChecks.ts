import { RENEWAL_DAYS } from "../config/limits.js";
import type { Config } from "../config/resolve.js";
import { DAY_MILLISECONDS } from "../credentials/dates.js";
import { error, type Finding, findingKinds, warning } from "../finding.js";
import { type Certificate, readCertificate } from "../frontDoor/certificate.js";
import { AUTHELIA_REMEDIES, type FrontDoorAnswer, givesAnonymousTokens } from "../frontDoor/questions.js";
import type { Checks } from "./check.js";
import { judgeClock, readClock } from "./clock.js";
import { type Lookup, lookUp } from "./dns.js";

const DEPLOY_AGAIN = "Run hephaestus deploy, then hephaestus doctor again.";
const ASK_AUTHELIA =
  "See Traefik's middleware (authelia.middleware) and Authelia's access_control for its host; `one_factor` or stricter.";

const RENEW = {
  remedy:
    "See the log of Traefik for errors of traefik.certResolver, or renew it at the tunnel or load balancer that ends TLS.",
};

const kinds = findingKinds("Front door", {
  "name-unknown": error(
    "{host} does not resolve",
    "Add a DNS record for it that points at Traefik (or at this node, with expose: ports).",
  ),
  "certificate-expired": error("the certificate of {host} has expired", "{renewal}", RENEW),
  "certificate-ends-soon": warning(
    "the certificate of {host} expires in less than {days} days",
    "{renewal}",
    RENEW,
  ),
  "certificate-not-yet-valid": error(
    "the certificate of {host} is not valid yet",
    "Compare the clocks of this machine and of the authority that signed it.",
  ),
  "certificate-wrong-name": error("{host} has a certificate for another name", "{renewal}", RENEW),
  "certificate-untrusted": error(
    "the certificate of {host} is not trusted here",
    "{renewal} If your own authority signed it, set NODE_EXTRA_CA_CERTS here, and make every client trust it.",
    {
      remedy: `${RENEW.remedy} If your own authority signed it, set NODE_EXTRA_CA_CERTS, and make every client trust it.`,
    },
  ),
  "clock-front-door": warning(
    "the clock of the front door is {difference} this machine's",
    "Synchronise both clocks with NTP (timedatectl set-ntp true).",
  ),
  "front-door-silent": error(
    "the {part} does not answer",
    "See that {services} run (hephaestus status, hephaestus logs {service}).",
  ),
  "front-door-wrong": error(
    "the {part} does not answer as it should",
    "See that {services} run (hephaestus status, hephaestus logs {service}).",
  ),
  "authelia-silent": error("Authelia does not answer, so its users cannot log in", AUTHELIA_REMEDIES.silent),
  "authelia-refuses": error(
    "Authelia's rules or session cookies do not suit a host of the stack",
    AUTHELIA_REMEDIES.refuses,
  ),
  "anonymous-write": error("anyone can push without a login", DEPLOY_AGAIN),
  "anonymous-pull": error("anyone can pull, but the config forbids it", DEPLOY_AGAIN),
  "library-writes": error("anyone can delete images through the library", DEPLOY_AGAIN),
  "library-open": error(
    "the library asks for no login, but the config puts it behind Authelia",
    ASK_AUTHELIA,
  ),
  "admin-open": error("the admin UI asks for no login, but the config puts it behind Authelia", ASK_AUTHELIA),
});
const { found } = kinds;

/** Public names that stand for nothing. */
export const judgeHostNames = (lookups: readonly Lookup[]): Finding[] =>
  lookups
    .filter(({ code }) => code !== undefined)
    .map(({ host, code }) => found("name-unknown", { host }, `looked up from this machine: ${code}`));

/** A host's certificate; it is Traefik's, unless TLS ends before it. */
export function judgeCertificate(
  host: string,
  certificate: Certificate,
  now: Date,
  endsAtTraefik = true,
): Finding[] {
  const { from, until, subject, issuer, nameFault, trustFault } = certificate;
  const shown = `it shows ${subject}, signed by ${issuer}, valid until ${until.toISOString().slice(0, 10)}`;
  // Traefik shows this if it has none for a host. Source: traefik/traefik, pkg/tls/generate.
  const ofTraefik = /TRAEFIK DEFAULT CERT/i.test(subject)
    ? "Traefik has no certificate for it: set traefik.certResolver, and see the log of Traefik for errors of its resolver."
    : "See the log of Traefik for why its resolver does not renew it.";
  const renewal = endsAtTraefik
    ? ofTraefik
    : "Give the tunnel or load balancer that ends TLS (traefik.tls: false) a certificate for it.";
  const findings: Finding[] = [];
  if (nameFault !== undefined) findings.push(found("certificate-wrong-name", { host, renewal }, shown));
  if (until < now) findings.push(found("certificate-expired", { host, renewal }, shown));
  else if (from > now)
    findings.push(found("certificate-not-yet-valid", { host }, `it begins on ${from.toISOString()}`));
  else if (until.getTime() - now.getTime() < RENEWAL_DAYS * DAY_MILLISECONDS)
    findings.push(found("certificate-ends-soon", { host, days: RENEWAL_DAYS, renewal }, shown));
  if (trustFault !== undefined)
    findings.push(found("certificate-untrusted", { host, renewal }, `${trustFault}: ${shown}`));
  return findings;
}

/** Codes of faults that the lookup of the name reports. */
const NAME_CODES = new Set(["ENOTFOUND", "EAI_AGAIN", "ETIMEOUT", "ENODATA"]);

/** Codes of faults that the check of the certificate reports (Node's TLS and OpenSSL's verify codes). */
const CERTIFICATE_CODE = /CERT|SIGNATURE|CRL|ISSUER/;

const isReportedElsewhere = (code: string | undefined): boolean =>
  code !== undefined && (NAME_CODES.has(code) || CERTIFICATE_CODE.test(code));

/** What is asked at the front door, and the services that answer. */
const PARTS = [
  ["registry", "gateway"],
  ["library", "registry-ui"],
  ["admin UI", "registry-admin"],
] as const;

/**
 * Judges the answers at the front door: first what is open that should not be, then what does not work, once
 * per address.
 */
export function judgeFrontDoor(config: Config, answers: readonly FrontDoorAnswer[]): Finding[] {
  const faults = answers.filter(
    ({ fault, authelia, code }) => fault !== undefined && !authelia && !isReportedElsewhere(code),
  );
  const open = faults.map((answer) => opening(config, answer));
  const broken = faults.filter((_, index) => open[index] === undefined);
  const findings = [...open.filter((finding) => finding !== undefined), ...judgeAuthelia(answers)];
  for (const [part, service] of PARTS) {
    const ofPart = broken.filter(({ id }) => serviceOf(id) === service);
    if (ofPart.length === 0) continue;
    const code = ofPart.every(({ code }) => code !== undefined) ? "front-door-silent" : "front-door-wrong";
    const services = config.expose === "traefik" ? `${service} and Traefik` : `the tasks of ${service}`;
    const evidence = [...new Set(ofPart.map(({ fault }) => fault))].join("; ");
    findings.push(found(code, { part, services, service }, evidence));
  }
  return findings;
}

const serviceOf = (id: FrontDoorAnswer["id"]): string =>
  id === "admin" ? "registry-admin" : id.startsWith("library") ? "registry-ui" : "gateway";

/** Authelia's faults, whichever host shows them. */
const judgeAuthelia = (answers: readonly FrontDoorAnswer[]): Finding[] =>
  (
    [
      ["silent", "authelia-silent"],
      ["refuses", "authelia-refuses"],
    ] as const
  ).flatMap(([kind, code]) => {
    const faults = answers.filter(({ authelia }) => authelia === kind).map(({ fault }) => fault);
    return faults.length === 0 ? [] : [found(code, {}, faults.join("; "))];
  });

/** A wrong answer that allows what is forbidden. */
function opening(config: Config, { id, status = 0, fault = "" }: FrontDoorAnswer): Finding | undefined {
  const letIn = status >= 200 && status < 300;
  if (id === "anonymous-write" && letIn) return found("anonymous-write", {}, fault);
  if (id === "anonymous-token" && !givesAnonymousTokens(config) && letIn)
    return found("anonymous-pull", {}, fault);
  // 404 is the registry's own answer: the question got there.
  if (id === "anonymous-read" && (letIn || status === 404)) return found("anonymous-pull", {}, fault);
  if (id === "library-write" && letIn) return found("library-writes", {}, fault);
  if (id === "library" && config.ui.access === "sso" && letIn) return found("library-open", {}, fault);
  return id === "admin" && letIn ? found("admin-open", {}, fault) : undefined;
}

export const frontDoorChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "DNS",
      needs: "front door",
      run: async ({ urls }) => {
        const hosts = Object.values(urls).flatMap((url) =>
          url === undefined ? [] : [new URL(url).hostname],
        );
        return judgeHostNames(await Promise.all([...new Set(hosts)].map(lookUp)));
      },
    },
    {
      title: "certificates",
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
    },
    {
      title: "answers at the front door",
      needs: "front door",
      run: async ({ config, frontDoor }) => judgeFrontDoor(config, await frontDoor()),
    },
    {
      title: "clock of the front door",
      needs: "front door",
      run: async ({ urls }) => {
        const reading = await readClock(`${urls.registry}/v2/`);
        if (reading === undefined) return [];
        return judgeClock(reading, (difference, seen) => found("clock-front-door", { difference }, seen));
      },
    },
  ],
};
