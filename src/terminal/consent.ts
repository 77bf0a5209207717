import { ExitCode, OperatorError } from "../errors.js";
import { isInteractive } from "./chooseReporter.js";

/** What needs the word of a person. */
export interface Consent {
  question: string;
  /** What the person has to type, if yes is said too easily. */
  typed?: string;
  /** The stack or the file that it is about. */
  where: string;
  /** What to do where there is nobody to ask. */
  remedy: string;
  /** Why that is an error then, and its exit code. */
  refusal?: { message: string; exitCode: ExitCode };
}

const NOBODY = {
  message: "this needs confirmation, and there is no terminal",
  exitCode: ExitCode.usage,
};

/**
 * Asks a person. Who does not want to type a text presses Ctrl-C.
 *
 * @throws OperatorError where there is no terminal to ask on
 */
export async function consents({ question, typed, where, remedy, refusal = NOBODY }: Consent) {
  const { message, exitCode } = refusal;
  if (!isInteractive()) throw new OperatorError(message, { where, remedy, exitCode });
  const { askText, askYes } = await import("./prompts.js");
  if (typed === undefined) return askYes(question);
  const fault = (answer: string) => (answer === typed ? undefined : `Type ${typed}, or press Ctrl-C.`);
  await askText({ message: question, fault });
  return true;
}
