"""Outputs of one execution, collected as a notebook does.

Spec: Jupyter messaging, "Messages on the IOPub (PUB/SUB) channel"; nbformat 4, "Code cell outputs".
"""

from __future__ import annotations

from tsushin.protocol.messages import JsonObject


def output_of(msg_type: str, content: JsonObject) -> JsonObject | None:
    """Return an iopub message as an output, nbformat's dict; None where it is none.

    Fields that a kernel left out or mistyped are empty. ``update_display_data`` and ``clear_output``
    change earlier outputs; they come out with these as their ``output_type``.
    """
    match msg_type:
        case "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            return {"output_type": "stream", "name": name, "text": _text(content.get("text"))}
        case "display_data" | "update_display_data":
            transient = _object(content.get("transient"))
            return {"output_type": msg_type, **_bundle(content), "transient": transient}
        case "execute_result":
            count = content.get("execution_count")
            return {"output_type": msg_type, **_bundle(content), "execution_count": count}
        case "error":
            lines = content.get("traceback")
            return {
                "output_type": "error",
                "ename": _text(content.get("ename")),
                "evalue": _text(content.get("evalue")),
                "traceback": [str(line) for line in lines] if isinstance(lines, list) else [],
            }
        case "clear_output":
            return {"output_type": "clear_output", "wait": content.get("wait") is True}
    return None


class Outputs:
    """The outputs so far: text of one stream joined, updates and clearing applied.

    Attributes:
        items: in order.
    """

    def __init__(self) -> None:
        self.items: list[JsonObject] = []
        self._clears_next = False

    def add(self, output: JsonObject) -> None:
        """Take the next output, as ``output_of`` made it."""
        kind = output["output_type"]
        if kind == "update_display_data":
            self._update(output)
            return
        if self._clears_next or (kind == "clear_output" and not output["wait"]):
            self.items.clear()
        self._clears_next = kind == "clear_output" and output["wait"]
        if kind != "clear_output" and not self._join(output):
            self.items.append({**output})

    def text(self, name: str) -> str:
        """Return everything that was written to one stream."""
        return "".join(o["text"] for o in self.items if o.get("name") == name)

    def result(self) -> str | None:
        """Return ``text/plain`` of the last expression's value, or None."""
        results = [o for o in self.items if o["output_type"] == "execute_result"]
        text = results[-1]["data"].get("text/plain") if results else None
        return text if isinstance(text, str) else None

    def _join(self, output: JsonObject) -> bool:
        last = self.items[-1] if self.items else {}
        if output["output_type"] != "stream" or output["name"] != last.get("name"):
            return False
        last["text"] += output["text"]
        return True

    def _update(self, update: JsonObject) -> None:
        display_id = update["transient"].get("display_id")
        for output in self.items:
            shown = output.get("transient")
            if shown is not None and shown.get("display_id") == display_id:
                output.update(data=update["data"], metadata=update["metadata"])


def _bundle(content: JsonObject) -> JsonObject:
    return {"data": _object(content.get("data")), "metadata": _object(content.get("metadata"))}


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
