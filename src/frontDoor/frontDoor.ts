import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import type { Login } from "../credentials/userLogin.js";
import { interrupted } from "../docker/failures.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { inStep, skipped } from "../terminal/inStep.js";
import type { Reporter } from "../terminal/reporter.js";
import {
  AUTHELIA_REMEDIES,
  type Fault,
  type FrontDoorAnswer,
  type Get,
  type Logins,
  questions,
} from "./questions.js";

/** How long the front door may need after the services have converged: Traefik may probe each task, too. */
const patienceSeconds = ({ swarm }: Config): number => 20 + 2 * secondsOf(swarm.probe);

/** The passwords of a run. */
interface Passwords {
  /** A login that has to work. */
  login: Login | undefined;
  /** What became of the users; undefined if they stay. */
  change: { former?: Login | undefined } | undefined;
}

/** Asks the registry and the UI through their front door. */
export const verify = (session: Session, { login, change }: Passwords): Promise<unknown> =>
  inStep(session.reporter, { id: "verify", title: "Front door" }, async () => {
    const { config, options, reporter, signal } = session;
    if (!options.wait || !options.verify) return skipped("not asked for");
    const logins = { login, former: change?.former };
    const answers = await verifyFrontDoor(config, logins, patienceSeconds(config), signal);
    requireNoFault(
      reporter,
      answers,
      "The services run. Fix this and run hephaestus deploy again, or skip the test with --no-verify.",
    );
    if (!login && !change)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return answers.flatMap(({ title, fault }) => (fault === undefined ? [title] : [])).join(", ");
  });

/**
 * Asks the registry about a login, once. Authelia's users are not asked about: it counts each try.
 *
 * @throws OperatorError when it is refused, or nobody answers
 */
export const proveLogin = ({ config, options, reporter, signal }: Session, login: Login): Promise<unknown> =>
  inStep(reporter, { id: "verify", title: `Login of ${login.user}` }, async () => {
    const get: Get = (url, init = {}) => fetchOnce(url, init, signal);
    const question = questions(config, { login }, get).find(({ id }) => id === "login");
    if (!options.verify) return skipped("not asked for");
    if (question === undefined) return skipped("Authelia's users are not tried");
    const { fault } = await answer(question.ask, signal);
    if (fault === undefined) return "works";
    const remedy = "Nothing was changed. Check the password.";
    throw new OperatorError(fault, { where: login.user, remedy, exitCode: ExitCode.verify });
  });

/** Whether the front door answers at all: what cannot be proved afterwards is not begun. */
export const checkFrontDoor = ({ config, options, reporter, signal }: Session): Promise<unknown> =>
  inStep(reporter, { id: "front-door", title: "Front door before" }, async () => {
    if (!options.verify) return skipped("not asked for");
    requireNoFault(
      reporter,
      await verifyFrontDoor(config, {}, 0, signal),
      "Nothing was changed. Fix this first, or skip the test with --no-verify.",
    );
    return "answers";
  });

/**
 * Warns of the faults of Authelia, and of a library that finds its registry again within minutes: the
 * operation neither made nor mends them.
 *
 * @throws OperatorError with all other faults, where there are some
 */
function requireNoFault(reporter: Reporter, answers: readonly FrontDoorAnswer[], remedy: string): void {
  const faults: string[] = [];
  for (const { id, title, fault, authelia } of answers) {
    if (fault === undefined) continue;
    const told = `${title}: ${fault}`;
    if (authelia) reporter.note("warning", `${told}\n    ${AUTHELIA_REMEDIES[authelia]}`);
    else if (id === "library-catalog") reporter.note("warning", told);
    else faults.push(told);
  }
  if (faults.length === 0) return;
  throw new OperatorError(faults.join("\n"), { where: "front door", remedy, exitCode: ExitCode.verify });
}

/**
 * Asks the registry and the UI through their front door.
 *
 * @param logins checked when given; a kept password is not known to this run. They are the htpasswd's, so the
 * gateway does
 *   not know them where only Authelia knows the users
 * @param patienceSeconds how long a wrong answer may be asked again: Traefik needs seconds to see a new
 * service
 * @param signal ends the questions at once when it aborts
 * @throws OperatorError when it was interrupted
 */
export async function verifyFrontDoor(
  config: Config,
  logins: Logins,
  patienceSeconds: number,
  signal?: AbortSignal,
): Promise<FrontDoorAnswer[]> {
  const start = Date.now();
  const checks: FrontDoorAnswer[] = [];
  const get: Get = (url, init = {}) => fetchOnce(url, init, signal);
  try {
    for (const { id, title, ask, patience = 0 } of questions(config, logins, get)) {
      const end = start + Math.max(patienceSeconds, patience) * 1000;
      let answered = await answer(ask, signal);
      // A rollout does not mend Authelia, and each login that it does not judge takes the place of another.
      while (answered.fault !== undefined && !answered.authelia && Date.now() < end) {
        // Wrong passwords are counted: not more often than they may be tried.
        await sleep(patience > 0 ? 4000 : 1000, undefined, { signal });
        answered = await answer(ask, signal);
      }
      checks.push({ id, title, ...answered });
    }
  } catch (error) {
    throw signal?.aborted ? interrupted() : error;
  }
  return checks;
}

function fetchOnce(url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
  const timeout = AbortSignal.timeout(15_000);
  const either = signal ? AbortSignal.any([timeout, signal]) : timeout;
  return fetch(url, { redirect: "manual", signal: either, ...init }).catch((error) => {
    throw new NoAnswer(url, error);
  });
}

/** What fetch threw, with the address that gave no answer. */
class NoAnswer extends Error {
  /** @param url what was asked for */
  constructor(url: string, cause: unknown) {
    super(`${new URL(url).origin}: `, { cause });
  }
}

/** Faults of the network in words. */
async function answer(
  ask: () => Promise<Fault | undefined>,
  signal: AbortSignal | undefined,
): Promise<Fault> {
  try {
    return (await ask()) ?? { fault: undefined };
  } catch (error) {
    if (signal?.aborted) throw error;
    return networkFault(error);
  }
}

/** @param error a NoAnswer, or what the body of an answer threw */
function networkFault(error: unknown): Fault {
  const [address, thrown] = error instanceof NoAnswer ? [error.message, error.cause] : ["", error];
  const { cause, name, message } = thrown as Error & { cause?: { code?: string; message?: string } };
  const code = cause?.code ?? name;
  return { fault: `${address}${WORDS[code] ?? `no answer (${code}: ${cause?.message ?? message})`}`, code };
}

const UNTRUSTED =
  "its certificate is not trusted here: wait until Traefik (or what ends TLS before it) has one, or set NODE_EXTRA_CA_CERTS";

const WORDS: Record<string, string> = {
  ENOTFOUND: "its name does not resolve: add a DNS record that points at Traefik",
  EAI_AGAIN: "its name cannot be looked up now: check this machine's DNS",
  ECONNREFUSED: "nothing listens there: is Traefik up, and does the name point at it?",
  TimeoutError: "no answer within 15 seconds",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
};
