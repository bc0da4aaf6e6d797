"""The conversations that were named (zchat/client/commands/chosen.py)."""

from zchat.client.commands.chosen import Chosen


def test_none_chosen_is_all() -> None:
    assert Chosen([]).holds("@ann,bob", "ann")


def test_chosen() -> None:
    chosen = Chosen(["#general", "@Bob", "#general"])
    assert chosen.addresses == ["#general", "@Bob"]
    assert chosen.rooms == ["general"]
    conversations = ("#general", "#other", "@ann,bob", "@ann,Bob", "@ann,ann", "@ann,eve", "@$,ann")
    assert [one for one in conversations if chosen.holds(one, "ann")] == ["#general", "@ann,bob", "@ann,Bob"]
