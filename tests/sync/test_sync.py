"""The sync of real workspaces with a real server, over a wire that fails as it is told."""

from passmuster import merkle, note, sync, tlog
from tests.sync.town import Town


def test_what_one_signs_the_other_has_after_a_sync(place: Town) -> None:
    said = place.rev.says("one")
    assert place.rev.sync().pushed.accepted == 1
    report = place.boss.sync()
    assert report.words == "0 records sent, 4 received."
    assert place.boss.words == place.rev.words == ["one"]
    assert said in place.server.lines
    assert place.rev.sync().words == "0 records sent, 0 received."
