import { hiddenFrom } from "../access/repositoryRules.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { readStoredTags } from "../storage/storedTags.js";
import { readStackAccount } from "../users/stackAccount.js";

/** How a backup sees all of a stack's images, and what shows that it does. */
export interface StackView {
  /** Who reads them. */
  login: Login | undefined;
  /** What was found, for the report. */
  said: string;
  /**
   * What is there and not seen, as sentences.
   *
   * @param seen the repositories that the registry lists
   * @throws OperatorError where the registry lists nothing and its storage holds some
   */
  unseen(seen: readonly string[]): string[];
}

/**
 * Reads what the storage holds, and the account that may pull all of it. The caller holds the stack's lock.
 *
 * @param given who reads where the stack's own account cannot be read back
 */
export async function lookAtStack(session: Session, given: Login | undefined): Promise<StackView> {
  const { config, reporter } = session;
  const own = await readStackAccount(session);
  if (!own)
    reporter.note(
      "warning",
      "The account of the stack cannot be read back, so the given login reads the images.",
    );
  const stored = await readStoredTags(session);
  const login = own ?? given;
  if (!stored)
    return {
      login,
      said: "not in a folder",
      unseen: (seen) => (own ? [] : hiddenFrom(config, given?.user, seen)),
    };
  const { repositories, damaged, node } = stored;
  return {
    login,
    said: `${repositories.length} repositories with tags`,
    unseen(seen) {
      const names = new Set(seen);
      const hidden = repositories.filter((name) => !names.has(name));
      if (hidden.length > 0 && seen.length === 0) throw emptyFrontDoor(node);
      return [
        ...hidden.map((name) => `${name} is in the storage, and the front door does not show it`),
        ...damaged.map((name) => `${name} names no manifest in the storage`),
      ];
    },
  };
}

const emptyFrontDoor = (node: string): OperatorError =>
  new OperatorError(`shows no images at its front door, but its storage on ${node} holds some`, {
    where: "registry",
    remedy: "The reader may run on another node than the storage. See: hephaestus doctor",
    exitCode: ExitCode.verify,
  });
