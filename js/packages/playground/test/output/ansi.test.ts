import { describe, expect, test } from "vitest";
import { applyOverwrites, parseAnsi } from "../../src/output/ansi.js";

const ESC = "\x1b";

describe("parseAnsi", () => {
  test("text without sequences is one plain run", () => {
    expect(parseAnsi("plain")).toEqual([{ text: "plain", style: {} }]);
  });

  test("the empty text has no run", () => {
    expect(parseAnsi("")).toEqual([]);
  });

  test("a colour lasts until the reset", () => {
    expect(parseAnsi(`a${ESC}[31mb${ESC}[0mc`)).toEqual([
      { text: "a", style: {} },
      { text: "b", style: { fg: 1 } },
      { text: "c", style: {} },
    ]);
  });

  test("a sequence without parameters is a reset", () => {
    expect(parseAnsi(`${ESC}[1;4mx${ESC}[my`)[1]).toEqual({ text: "y", style: {} });
  });

  test("several parameters add up, and single ones can be taken back", () => {
    const [first, second] = parseAnsi(`${ESC}[1;2;3;93;44mx${ESC}[22;39my`);
    expect(first?.style).toEqual({ bold: true, dim: true, italic: true, fg: 11, bg: 4 });
    expect(second?.style).toEqual({ italic: true, bg: 4 });
  });

  test.each([
    ["38;5;9", { fg: 9 }],
    ["38;5;28", { fg: "rgb(0 135 0)" }],
    ["48;5;231", { bg: "rgb(255 255 255)" }],
    ["38;5;232", { fg: "rgb(8 8 8)" }],
    ["38;2;1;2;300", { fg: "rgb(1 2 255)" }],
    ["38;5;28;01", { fg: "rgb(0 135 0)", bold: true }],
  ])("extended colour %s", (codes, style) => {
    expect(parseAnsi(`${ESC}[${codes}mx`)).toEqual([{ text: "x", style }]);
  });

  test("an extended colour that is cut short colours nothing", () => {
    expect(parseAnsi(`${ESC}[38;5mx`)).toEqual([{ text: "x", style: {} }]);
  });

  test("other control sequences are left out", () => {
    const text = `${ESC}[2Ka${ESC}]8;;x${ESC}\\b${ESC}]0;title\x07c${ESC}[?25l`;
    expect(
      parseAnsi(text)
        .map((segment) => segment.text)
        .join(""),
    ).toBe("abc");
  });
});

describe("applyOverwrites", () => {
  test.each([
    ["10%\r50%\r100%", "100%"],
    ["longer\rshort", "shortr"],
    ["a\r\nb", "a\nb"],
    ["one\ntwo\rTWO", "one\nTWO"],
    ["ab\b\bcd", "cd"],
    ["\b\bx", "x"],
    ["nothing special\n", "nothing special\n"],
  ])("%j is shown as %j", (text, shown) => {
    expect(applyOverwrites(text)).toBe(shown);
  });
});
