import type { Config } from "../config/resolve.js";
import { ExitCode, OperatorError } from "../errors.js";
import { type Finding, severityCounts } from "../finding.js";
import { sendMail } from "../host/sendmail.js";

/** What changed since the last report. */
export interface AlertChange {
  stack: string;
  /** Findings that were not there. */
  found: readonly Finding[];
  /** Messages of findings that are no longer there. */
  resolved: readonly string[];
}

/** One line, for a subject. */
function subjectOf({ stack, found, resolved }: AlertChange): string {
  const parts = [...severityCounts(found), ...(resolved.length > 0 ? [`${resolved.length} resolved`] : [])];
  return `hephaestus ${stack}: ${parts.join(", ")}`;
}

/** The whole report as plain text. */
export const textOf = (change: AlertChange): string =>
  [
    subjectOf(change),
    ...change.found.flatMap(({ severity, message, evidence, remedy }) => [
      "",
      `${severity}: ${message}`,
      `    ${evidence}`,
      `    ${remedy}`,
    ]),
    ...(change.resolved.length > 0 ? [""] : []),
    ...change.resolved.map((message) => `resolved: ${message}`),
  ].join("\n");

/** A way to people. */
export interface AlertChannel {
  /** For messages; it shows no address that could be secret. */
  name: string;
  /** @throws OperatorError when it is not delivered */
  send(change: AlertChange): Promise<void>;
}

/** The variable with an address that is secret, such as that of a chat's webhook. */
const ALERT_URL_VARIABLE = "HEPHAESTUS_ALERT_URL";

const SECONDS = 20;

/**
 * The channels of the config and the environment.
 *
 * @throws OperatorError where there is none
 */
export function alertChannels(
  { url, mail }: Config["alerts"],
  environment: Readonly<Record<string, string | undefined>>,
): AlertChannel[] {
  const secret = environment[ALERT_URL_VARIABLE];
  if (secret && !URL.canParse(secret))
    throw new OperatorError("is not an address", {
      where: ALERT_URL_VARIABLE,
      remedy: "Set it to the address of a webhook.",
      exitCode: ExitCode.usage,
    });
  const address = secret || url;
  const channels = [
    ...(address === undefined ? [] : [webhook(address)]),
    ...(mail.length > 0 ? [sendmail(mail)] : []),
  ];
  if (channels.length > 0) return channels;
  throw new OperatorError("there is nowhere to report to", {
    where: "alerts",
    remedy: `Write alerts.url or alerts.mail into the config, or set ${ALERT_URL_VARIABLE}: units get it by --environment-file.`,
    exitCode: ExitCode.usage,
  });
}

/** A webhook. `text` is what Slack and Mattermost show, and `content` what Discord shows. */
const webhook = (address: string): AlertChannel => ({
  name: "webhook",
  async send(change) {
    const text = textOf(change);
    const body = { text, content: text.slice(0, 2000), subject: subjectOf(change), ...change };
    const response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(SECONDS * 1000),
    }).catch((error: { cause?: { code?: string }; name: string }) => {
      throw notDelivered("webhook", `does not answer (${error.cause?.code ?? error.name})`);
    });
    await response.body?.cancel();
    if (!response.ok) throw notDelivered("webhook", `answered ${response.status}`);
  },
});

/** The host's sendmail. */
const sendmail = (to: readonly string[]): AlertChannel => ({
  name: "mail",
  async send(change) {
    const headers = [
      `To: ${to.join(", ")}`,
      `Subject: ${subjectOf(change)}`,
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 8bit",
      "Auto-Submitted: auto-generated",
    ];
    const failure = await sendMail(`${headers.join("\n")}\n\n${textOf(change)}\n`, SECONDS * 1000);
    if (failure !== undefined) throw notDelivered("mail", failure);
  },
});

const notDelivered = (channel: string, reason: string): OperatorError =>
  new OperatorError(`could not be delivered: ${reason}`, {
    where: `alerts, ${channel}`,
    remedy: "Fix it, then run hephaestus doctor --notify again: it reports the same again.",
    exitCode: ExitCode.verify,
  });
