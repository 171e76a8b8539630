/** Which tab of the browser this is: the same before and after its page is loaded again. */
import { newId } from "../ids.js";
import { pageStorage } from "./page_gone.js";

const KEY = "tsushin:tab";

/** Return the id of the tab whose `sessionStorage` this is; one that is forbidden gives a new id each time. */
export function tabId(storage: Pick<Storage, "getItem" | "setItem">): string {
  try {
    const known = storage.getItem(KEY);
    if (known !== null) return known;
    const made = newId();
    storage.setItem(KEY, made);
    return made;
  } catch {
    return newId();
  }
}

/** Return the id of this page's tab; undefined where there is no page, as in Node. */
export function pageTab(): string | undefined {
  const storage = pageStorage();
  return storage === undefined ? undefined : tabId(storage);
}
