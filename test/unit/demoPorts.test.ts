import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { checkPorts } from "../../demo/ports.js";
import { ExitCode } from "../../src/errors.js";

afterEach(() => vi.unstubAllEnvs());

test("the demo names ports that are taken, and free ones that it takes instead", async () => {
  vi.stubEnv("DOCKER_HOST", "unix:///nonexistent");
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const refusal = checkPorts({ registryPort: port, uiPort: port + 1 });
  await expect(refusal).rejects.toMatchObject({
    exitCode: ExitCode.preflight,
    message: expect.stringMatching(`^${port}(?: and ${port + 1})?: taken`),
  });
  const { remedy } = (await refusal.catch((error: unknown) => error)) as { remedy: string };
  const [, registryPort, uiPort] = /--registry-port (\d+) --ui-port (\d+)/.exec(remedy) ?? [];
  server.close();
  await once(server, "close");
  await checkPorts({ registryPort: Number(registryPort), uiPort: Number(uiPort) });
  await expect(checkPorts({ registryPort: 5000, uiPort: 5000 })).rejects.toMatchObject({
    exitCode: ExitCode.usage,
  });
});
