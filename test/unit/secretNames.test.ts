import { expect, test } from "vitest";
import { namesSecret, valueHoldsSecret } from "../../src/credentials/redaction.js";

test.each([
  "DB_PASSWORD",
  "smtp_passwd",
  "KeyPassphrase",
  "CLIENT_SECRET",
  "api_token",
  "AWS_CREDENTIALS",
  "REGISTRY_STORAGE_S3_ACCESSKEY",
  "AZURE_ACCOUNT_KEY",
  "MAPS_API_KEY",
  "TLS_KEY_FILE",
  "private_key",
  "REGISTRY_AUTH_HTPASSWD_PATH",
  "traefik.http.middlewares.x.basicauth.users",
])("what is called %s is not shown", (name) => {
  expect(namesSecret(name)).toBe(true);
});

test.each(["REGISTRY_LOG_LEVEL", "KEYBOARD", "AUTHOR", "MONKEY"])("what is called %s is shown", (name) => {
  expect(namesSecret(name)).toBe(false);
});

test.each([
  "https://ann:anvil@hooks.example/x",
  "smtp://:anvil@mail.example",
  "[{url: https://a.example, headers: {Authorization: [Bearer x]}}]",
  '{"token": "x"}',
  "password=anvil",
  "api-key of a.example, apikey: x",
])("the value %s is not shown", (value) => {
  expect(valueHoldsSecret(value)).toBe(true);
});

test.each([
  "https://a.example/x?tokens=none",
  "https://a.example:5000/ann@b.example",
  "ann@a.example",
])("the value %s is shown", (value) => {
  expect(valueHoldsSecret(value)).toBe(false);
});
