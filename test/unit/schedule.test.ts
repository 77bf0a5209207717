import { expect, test } from "vitest";
import { loadTemplates } from "../../src/render/templates.js";
import { systemdUnits } from "../../src/render/timerUnits.js";
import fc from "../support/properties.js";

const templates = loadTemplates();
const units = (command: string[]) =>
  systemdUnits(
    {
      stack: "forge",
      task: "maintain",
      description: "Maintenance",
      calendar: "Sun 04:00",
      folder: "/srv/100% ours",
      command,
    },
    templates,
  );

test("maintenance at fixed times is a service and its timer", () => {
  const [service, timer] = units(["/usr/bin/node", "/opt/hephaestus.js", "maintain", "--quiet"]);
  expect(service?.path).toBe("forge-maintain.service");
  expect(service?.text).toContain("WorkingDirectory=/srv/100%% ours\n");
  expect(service?.text).toContain("ExecStart=/usr/bin/node /opt/hephaestus.js maintain --quiet\n");
  expect(timer?.path).toBe("forge-maintain.timer");
  expect(timer?.text).toContain("OnCalendar=Sun 04:00\n");
  expect(timer?.text).toContain("WantedBy=timers.target\n");
});

/** A command line as systemd reads it (systemd.service(5)): quotes, backslashes, %% and $$. */
function words(line: string): string[] {
  const found = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return found.map((text) =>
    text
      .replace(/^"(.*)"$/s, "$1")
      .replace(/\\(.)/g, "$1")
      .replaceAll("$$", "$")
      .replaceAll("%%", "%"),
  );
}

test("every word of its command line reaches the program as it is", () => {
  const word = fc.stringMatching(/^[ -~]{1,12}$/);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (command) => {
      const line = /^ExecStart=(.*)$/m.exec(units(command)[0]?.text ?? "")?.[1] ?? "";
      expect(words(line)).toEqual(command);
    }),
  );
});

test("a password comes from a file, as standard input", () => {
  const schedule = {
    stack: "forge",
    task: "maintain",
    description: "Maintenance",
    calendar: "*-*-* 03:30",
  } as const;
  const [service, timer] = systemdUnits(
    {
      ...schedule,
      folder: "/srv",
      command: ["/usr/bin/node", "maintain", "--password-stdin"],
      input: "/etc/forge 100%",
    },
    templates,
  );
  expect(service?.path).toBe("forge-maintain.service");
  expect(service?.text).toContain("Description=Maintenance of the registry stack forge\n");
  expect(service?.text).toContain("StandardInput=file:/etc/forge 100%%\n");
  expect(timer?.text).toContain("OnCalendar=*-*-* 03:30\n");
});

test("a watch reads its address from a file, is not late, and does not fail where it finds something", () => {
  const schedule = { stack: "forge", task: "doctor", description: "Checks", calendar: "*:0/15" } as const;
  const [service, timer] = systemdUnits(
    {
      ...schedule,
      folder: "/srv",
      command: ["/usr/bin/node", "doctor", "--notify"],
      environmentFile: "/etc/forge.env",
    },
    templates,
  );
  expect(service?.text).toContain("EnvironmentFile=/etc/forge.env\n");
  expect(service?.text).toContain("SuccessExitStatus=1\n");
  expect(timer?.text).toContain("RandomizedDelaySec=30s\n");
  expect(units(["/usr/bin/node"])[0]?.text).not.toContain("SuccessExitStatus");
  expect(units(["/usr/bin/node"])[1]?.text).toContain("RandomizedDelaySec=30m\n");
});
