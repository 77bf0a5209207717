/** Authelia does not answer, or its rules suit no user of the host. */
export type AutheliaFault = "silent" | "refuses";

/** What is asked. */
type QuestionId =
  | "challenge"
  | "anonymous-token"
  | "anonymous-read"
  | "anonymous-write"
  | "storage"
  | "login"
  | "former-login"
  | "library"
  | "library-catalog"
  | "library-write"
  | "admin"
  | "authelia";

/** One question to the running stack, asked from outside. */
export interface FrontDoorAnswer {
  id: QuestionId;
  title: string;
  /** What was wrong, undefined when the answer was right. */
  fault: string | undefined;
  /** The status of a wrong answer. */
  status?: number | undefined;
  /** Node's code for why there was no answer: ENOTFOUND, ECONNREFUSED, … */
  code?: string | undefined;
  /** Where it is Authelia's: it does not answer, or its rules do not suit the host. */
  authelia?: AutheliaFault | undefined;
}

/** What is wrong with an answer. */
export type Fault = Omit<FrontDoorAnswer, "id" | "title">;

/** A name that no repository has: the probes ask for it, and none of them writes. */
export const PROBE = "hephaestus-probe";

/** One request, bounded in time. */
export type Get = (url: string, init?: RequestInit) => Promise<Response>;

export interface Question {
  id: QuestionId;
  title: string;
  ask: () => Promise<Fault | undefined>;
  /** Seconds that a right answer may take longer than others. */
  patience?: number;
}
