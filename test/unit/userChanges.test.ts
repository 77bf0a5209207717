import { describe, expect, test } from "vitest";
import { type HtpasswdEntry, htpasswdEntry, verifyPassword } from "../../src/credentials/htpasswd.js";
import { Secret } from "../../src/credentials/secret.js";
import {
  addUser,
  applied,
  changePassword,
  endingLogin,
  mergeUsers,
  removeUser,
} from "../../src/credentials/userChanges.js";
import { ExitCode, OperatorError } from "../../src/errors.js";
import fc from "../support/properties.js";

const COST = 4;
const login = (user: string, password: string) =>
  ({ user, password: new Secret(password), origin: "given" }) as const;
const newPassword = (user: string, password: string) => ({ ...login(user, password), cost: COST });
const bringing = (users: readonly HtpasswdEntry[], user: string, password: string) =>
  mergeUsers({ ...login(user, password), users });
const entry = (user: string, password: string) => htpasswdEntry(user, new Secret(password), COST);
const ann = entry("ann", "anvil");
const bob = entry("bob", "bellows");
const names = (users: readonly { user: string }[]) => users.map(({ user }) => user);

describe("what a deploy brings", () => {
  test("changes nothing where the password is the same, whatever the salt", () => {
    const result = applied(bringing([entry("ann", "anvil")], "ann", "anvil"), [ann, bob]);
    expect(result).toMatchObject({ users: [ann, bob], changed: [], removed: [], updated: [] });
  });

  test("changes a user whose password is another, and keeps the others", () => {
    const line = entry("ann", "new");
    const result = applied(bringing([line], "ann", "new"), [ann, bob]);
    expect(result).toMatchObject({ users: [line, bob], changed: ["ann"], removed: [], updated: [] });
    expect(result.login).toEqual(login("ann", "new"));
  });

  test("adds and changes further users by their hashes", () => {
    const [carl, bobs] = [entry("carl", "coal"), entry("bob", "bellows")];
    const result = applied(bringing([ann, bobs, carl], "ann", "anvil"), [ann, bob]);
    expect(result).toMatchObject({ users: [ann, bobs, carl], changed: ["bob", "carl"], removed: [] });
  });

  test("counts the last line of a name, as the registry does", () => {
    const line = entry("ann", "second");
    const result = applied(bringing([entry("ann", "first"), line], "ann", "second"), [ann]);
    expect(result.users).toEqual([line]);
  });

  test("twice is the same as once, and nobody is ever lost", () => {
    const user = fc.constantFrom("ann", "bob", "carl", "dora");
    const hash = fc.constantFrom(ann.hash, bob.hash);
    const users = fc.array(fc.record({ user, hash }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(users, users, (current, wanted) => {
        const known = wanted[0] ?? ann;
        const change = bringing(wanted, known.user, "anvil");
        const once = change(current);
        for (const name of [...names(current), ...names(wanted)]) expect(names(once.users)).toContain(name);
        expect(new Set(names(once.users)).size).toBe(once.users.length);
        if (wanted.every((line) => line.user !== known.user || line.hash === ann.hash))
          expect(applied(change, once.users).changed).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a change", () => {
  test("of a password leaves everybody else's line as it is", () => {
    const { users, changed, ...result } = applied(changePassword(newPassword("bob", "new")), [ann, bob]);
    expect(users[0]).toBe(ann);
    expect(result.login).toEqual(login("bob", "new"));
    expect(changed).toEqual(["bob"]);
    expect(verifyPassword(users, "bob", new Secret("new"))).toBe(true);
    expect(verifyPassword(users, "bob", new Secret("bellows"))).toBe(false);
  });

  test("adds a user, and removes one", () => {
    const { users } = addUser(newPassword("bob", "new"))([ann]);
    expect(names(users)).toEqual(["ann", "bob"]);
    const removal = applied(removeUser("ann"), users);
    expect(removal).toMatchObject({ users: [users[1]], changed: [], removed: ["ann"], updated: [] });
    expect(removal.login).toBeUndefined();
  });

  test("ends the login that opened the account before, and no other", () => {
    const change = changePassword(newPassword("bob", "new"));
    const former = (password: string) => endingLogin(login("bob", password), change)([ann, bob]).former;
    expect(former("bellows")?.password.reveal()).toBe("bellows");
    expect(former("another")).toBeUndefined();
    expect(endingLogin(undefined, change)([ann, bob])).not.toHaveProperty("former");
  });

  test.each([
    ["a user that is there", () => addUser(newPassword("ann", "x"))([ann]), /the user ann exists already/],
    ["an unknown user's password", () => changePassword(newPassword("bob", "x"))([ann]), /no user bob/],
    ["an unknown user", () => removeUser("bob")([ann]), /no user bob/],
    ["the last user", () => removeUser("ann")([ann]), /the last user/],
    ["an empty password", () => addUser(newPassword("bob", ""))([ann]), /is empty/],
  ])("is refused: %s", (_name, work, reason) => {
    expect(work).toThrow(reason);
    expect(work).toThrow(OperatorError);
    try {
      work();
    } catch (error) {
      expect((error as OperatorError).exitCode).toBe(ExitCode.credentials);
      expect(String(error)).not.toContain("$2");
    }
  });
});
