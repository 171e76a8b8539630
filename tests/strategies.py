"""Hypothesis strategies: any message a codec must carry, and damage done to frames."""

from __future__ import annotations

from hypothesis import strategies as st

from tsushin.protocol.messages import CHANNELS, Message

# JSON has no NaN and no infinity; text() leaves out surrogates.
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
json_objects = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
headers = st.builds(
    lambda extra, required: {**extra, **required},
    json_objects,
    st.fixed_dictionaries(
        {
            "msg_id": st.text(max_size=40),
            "msg_type": st.text(max_size=20),
            "session": st.text(max_size=40),
        }
    ),
)
buffers = st.lists(st.binary(max_size=40).map(memoryview), max_size=5).map(tuple)


def messages(*, identities: bool = False) -> st.SearchStrategy[Message]:
    """Any message; with ``identities`` only where the carrier has them."""
    routing = st.lists(st.binary(max_size=8).filter(lambda i: i != b"<IDS|MSG>"), max_size=4).map(
        tuple
    )
    return st.builds(
        Message,
        channel=st.sampled_from(CHANNELS),
        header=headers,
        parent_header=json_objects,
        metadata=json_objects,
        content=json_objects,
        buffers=buffers,
        identities=routing if identities else st.just(()),
    )


@st.composite
def damaged(draw: st.DrawFn, frame: bytes) -> bytes:
    """``frame`` with one to three runs of bytes cut out, put in, or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(frame)))
        end = draw(st.integers(start, min(start + 9, len(frame))))
        frame = frame[:start] + draw(st.binary(max_size=9)) + frame[end:]
    return frame
