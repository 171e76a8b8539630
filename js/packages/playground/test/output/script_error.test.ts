import { expect, test } from "vitest";
import { scriptError } from "../../src/output/script_error.js";

function failing(stack: string): TypeError {
  const error = new TypeError("boom");
  error.stack = stack;
  return error;
}
const STACK = "TypeError: boom\n    at inner (script-7.js:12:5)\n    at eval (script-7.js:1:1)";

test("an error of a script has its innermost place", () => {
  expect(scriptError(failing(STACK))).toEqual({
    name: "TypeError",
    message: "boom",
    during: "",
    place: { script: 7, line: 12, column: 5 },
  });
});

test("lines before the script's first are taken off", () => {
  expect(scriptError(failing(STACK), 2).place?.line).toBe(10);
});

test("a handler's error is described by its cause, and names the handler", () => {
  const report = new Error("on_msg of comm 'x' threw: boom", { cause: failing(STACK) });
  expect(scriptError(report)).toMatchObject({
    name: "TypeError",
    message: "boom",
    during: "on_msg of comm 'x'",
    place: { script: 7 },
  });
});

test("a value that is no error is shown as it is", () => {
  expect(scriptError("just text")).toEqual({
    name: "Thrown",
    message: "just text",
    during: "",
    place: null,
  });
});

test("an error from elsewhere has no place", () => {
  expect(scriptError(failing("TypeError: boom\n    at playground.js:1:2")).place).toBeNull();
});
