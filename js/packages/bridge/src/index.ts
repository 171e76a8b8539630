/**
 * The module of `tsushin.bridge()`, for any host of anywidget models (AFM): wiring only.
 *
 * Where our extension is present, it carries the comms: the bridge tells the kernel so and does nothing.
 */
import type { AfmModel } from "tsushin/hosts";
import { hasExtension, knownLink, linkOf } from "./page.js";
import type { Shown } from "./view.js";
import { show } from "./view.js";

interface Context {
  readonly model: AfmModel;
}

interface ViewContext extends Context {
  readonly el: HTMLElement;
}

const kernelId = (model: AfmModel): string => String(model.get("kernel_id"));

/** The model is in the page: connect. Returns how to disconnect. */
function initialize({ model }: Context): () => void {
  if (hasExtension()) {
    model.send({ tsushin: 1, page: "extension", n: 0, yield: true });
    return () => undefined;
  }
  return linkOf(kernelId(model)).add(model);
}

/** The model is displayed: show how it stands. Returns how to stop. */
function render({ model, el }: ViewContext): () => void {
  const link = knownLink(kernelId(model));
  const now = (): Shown =>
    link === undefined && hasExtension() ? "yielded" : (link?.state ?? "gone");
  show(el, now());
  return link?.listen(() => show(el, now())) ?? (() => undefined);
}

export default { initialize, render };
