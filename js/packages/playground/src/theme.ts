/** Light or dark: what the system prefers, until the user says otherwise; that is remembered. */

export type Theme = "light" | "dark";

const STORAGE_KEY = "tsushin.theme";
const systemIsDark = (): MediaQueryList => matchMedia("(prefers-color-scheme: dark)");

/** Return the theme chosen earlier on this machine, or null. Storage may be forbidden: then null. */
export function rememberedTheme(): Theme | null {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return stored === "light" || stored === "dark" ? stored : null;
  } catch {
    return null;
  }
}

/** The theme to show now. */
export function shownTheme(): Theme {
  return rememberedTheme() ?? (systemIsDark().matches ? "dark" : "light");
}

/** Mark the document with the theme. Called before the first paint, and after every change. */
export function applyTheme(theme: Theme = shownTheme()): void {
  document.documentElement.dataset.theme = theme;
}

/** Make `button` switch the theme; `changed` is called after each change, the system's included. */
export function wireThemeToggle(button: HTMLButtonElement, changed: () => void): void {
  const show = (theme: Theme): void => {
    applyTheme(theme);
    button.setAttribute("aria-label", `Switch to the ${other(theme)} theme`);
    changed();
  };
  show(shownTheme());
  button.addEventListener("click", () => {
    const theme = other(document.documentElement.dataset.theme === "dark" ? "dark" : "light");
    remember(theme);
    show(theme);
  });
  systemIsDark().addEventListener("change", () => show(shownTheme()));
}

function other(theme: Theme): Theme {
  return theme === "dark" ? "light" : "dark";
}

function remember(theme: Theme): void {
  try {
    localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // Storage is forbidden here: the choice lasts as long as the page.
  }
}
