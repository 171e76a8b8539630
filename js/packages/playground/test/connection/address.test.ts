import { expect, test } from "vitest";
import { parseAddress } from "../../src/connection/address.js";

const HOST = "http://127.0.0.1:8000";

test.each([
  ["/?token=s3cret", "/"],
  ["/#token=s3cret", "/"],
  ["/?kernel=k&token=s3cret#here", "/?kernel=k#here"],
])("%s: the token is read and taken out of the address", (path, clean) => {
  const address = parseAddress(HOST + path);
  expect(address.token).toBe("s3cret");
  expect(address.clean).toBe(HOST + clean);
});

test("a page under a prefix talks to the server under that prefix", () => {
  expect(parseAddress(`${HOST}/user/me/?token=t`).base).toBe(`${HOST}/user/me/`);
  expect(parseAddress(`${HOST}/user/me/index.html`).base).toBe(`${HOST}/user/me/`);
});

test("without token and kernel both are empty", () => {
  expect(parseAddress(`${HOST}/`)).toMatchObject({ token: "", kernel_id: "", base: `${HOST}/` });
});
