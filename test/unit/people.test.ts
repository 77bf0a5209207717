import { describe, expect, test } from "vitest";
import { htpasswdEntry, verifyPassword } from "../../src/credentials/htpasswd.js";
import { addUser, changePassword, mergePeople, removeUser } from "../../src/credentials/people.js";
import { Secret } from "../../src/credentials/secret.js";
import { ExitCode, OperatorError } from "../../src/errors.js";
import fc from "../support/properties.js";

const COST = 4;
const login = (user: string, password: string) => ({ user, password: new Secret(password) });
const entry = (user: string, password: string) => htpasswdEntry(user, new Secret(password), COST);
const ann = entry("ann", "anvil");
const bob = entry("bob", "bellows");
const names = (people: readonly { user: string }[]) => people.map(({ user }) => user);

describe("what a deploy brings", () => {
  test("changes nothing where the password is the same, whatever the salt", () => {
    const result = mergePeople([ann, bob], [entry("ann", "anvil")], login("ann", "anvil"));
    expect(result).toEqual({ people: [ann, bob], changed: [], removed: [] });
  });

  test("changes a user whose password is another, and keeps the others", () => {
    const line = entry("ann", "new");
    const result = mergePeople([ann, bob], [line], login("ann", "new"));
    expect(result).toEqual({ people: [line, bob], changed: ["ann"], removed: [] });
  });

  test("adds and changes further users by their hashes", () => {
    const [carl, bobs] = [entry("carl", "coal"), entry("bob", "bellows")];
    const result = mergePeople([ann, bob], [ann, bobs, carl], login("ann", "anvil"));
    expect(result).toEqual({ people: [ann, bobs, carl], changed: ["bob", "carl"], removed: [] });
  });

  test("counts the last line of a name, as the registry does", () => {
    const line = entry("ann", "second");
    const result = mergePeople([ann], [entry("ann", "first"), line], login("ann", "second"));
    expect(result.people).toEqual([line]);
  });

  test("twice is the same as once, and nobody is ever lost", () => {
    const user = fc.constantFrom("ann", "bob", "carl", "dora");
    const hash = fc.constantFrom(ann.hash, bob.hash);
    const people = fc.array(fc.record({ user, hash }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(people, people, (current, wanted) => {
        const known = wanted[0] ?? ann;
        const proof = login(known.user, "anvil");
        const once = mergePeople(current, wanted, proof);
        for (const name of [...names(current), ...names(wanted)]) expect(names(once.people)).toContain(name);
        expect(new Set(names(once.people)).size).toBe(once.people.length);
        if (wanted.every((line) => line.user !== known.user || line.hash === ann.hash))
          expect(mergePeople(once.people, wanted, proof).changed).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a change", () => {
  test("of a password leaves everybody else's line as it is", () => {
    const { people, changed } = changePassword([ann, bob], login("bob", "new"), COST);
    expect(people[0]).toBe(ann);
    expect(changed).toEqual(["bob"]);
    expect(verifyPassword(people, "bob", new Secret("new"))).toBe(true);
    expect(verifyPassword(people, "bob", new Secret("bellows"))).toBe(false);
  });

  test("adds a user, and removes one", () => {
    const { people } = addUser([ann], login("bob", "new"), COST);
    expect(names(people)).toEqual(["ann", "bob"]);
    expect(removeUser(people, "ann").people).toEqual([people[1]]);
  });

  test.each([
    ["a user that is there", () => addUser([ann], login("ann", "x"), COST), /the user ann exists already/],
    ["an unknown user's password", () => changePassword([ann], login("bob", "x"), COST), /no user bob/],
    ["an unknown user", () => removeUser([ann], "bob"), /no user bob/],
    ["the last user", () => removeUser([ann], "ann"), /the last user/],
    ["an empty password", () => addUser([ann], login("bob", ""), COST), /is empty/],
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
