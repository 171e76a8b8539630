/**
 * Where the kernel is and with which token: from the page's own address.
 *
 * The token is taken out of the address bar and kept for this tab only, so that it is neither
 * bookmarked nor sent along with a link, and a reload still works.
 */

const STORAGE_KEY = "tsushin.token";

export interface Address {
  /** Base of the server's `api/`; ends in `/`. */
  readonly base: string;
  readonly token: string;
  /** The kernel that was asked for, or "". */
  readonly kernel_id: string;
}

/** Read `?token=` or `#token=` and `?kernel=` of an address. Pure; storage is the caller's. */
export function parseAddress(href: string): Address & { readonly clean: string } {
  const url = new URL(href);
  const fragment = new URLSearchParams(url.hash.slice(1));
  const token = url.searchParams.get("token") ?? fragment.get("token") ?? "";
  const kernel_id = url.searchParams.get("kernel") ?? "";
  url.searchParams.delete("token");
  if (fragment.has("token")) {
    fragment.delete("token");
    url.hash = fragment.toString();
  }
  const base = new URL(".", url.origin + url.pathname).href;
  return { base, token, kernel_id, clean: url.href };
}

/** Read this page's address, hide the token and remember it for this tab. */
export function takeAddress(): Address {
  const { base, token, kernel_id, clean } = parseAddress(location.href);
  history.replaceState(history.state, "", clean);
  return { base, kernel_id, token: remembered(token) };
}

function remembered(token: string): string {
  try {
    if (token !== "") sessionStorage.setItem(STORAGE_KEY, token);
    return token || (sessionStorage.getItem(STORAGE_KEY) ?? "");
  } catch {
    // Storage is forbidden here: the token lasts as long as the page.
    return token;
  }
}
