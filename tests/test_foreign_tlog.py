"""Go's own transparency log (x/mod sumdb, Debian's package) over files of ours.

It reads the checkpoint, the inclusion and consistency proofs, and the tiles, and makes the same
proofs from them by itself.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from passmuster import merkle, note, tlog
from passmuster.store import Database
from tests.scene import LATER, NOW
from tests.test_checkpoints import AUDITOR, ME, envelopes, logged, witness

GOPATH = Path("/usr/share/gocode")
pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(
        shutil.which("go") is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").exists(),
        reason="Go's x/mod is not here",
    ),
]

PROGRAM = r"""
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proof struct {
	Index, Old, New int64
	Entry, Root, OldRoot string
	Hashes []string
}

type given struct {
	Key, Checkpoint string
	Tiles           map[string]string
	Inclusion, Consistency []proof
}

type tiles map[string]string

func (t tiles) Height() int { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, one := range wanted {
		// Go names the height first: tile/8/0/000.p/4
		data, ok := t["tile/"+strings.TrimPrefix(one.Path(), "tile/8/")]
		if !ok {
			return nil, fmt.Errorf("no %s", one.Path())
		}
		raw, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func hash(text string) tlog.Hash {
	h, err := tlog.ParseHash(text)
	must(err)
	return h
}

func hashes(texts []string) (out []tlog.Hash) {
	for _, text := range texts {
		out = append(out, hash(text))
	}
	return out
}

func main() {
	var g given
	must(json.NewDecoder(os.Stdin).Decode(&g))
	verifier, err := note.NewVerifier(g.Key)
	must(err)
	opened, err := note.Open([]byte(g.Checkpoint), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	var size int64
	fmt.Sscan(lines[1], &size)
	tree := tlog.Tree{N: size, Hash: hash(lines[2])}
	reader := tlog.TileHashReader(tree, tiles(g.Tiles))
	root, err := tlog.TreeHash(size, reader)
	must(err)
	if root != tree.Hash {
		fmt.Println("the tiles have another root")
		os.Exit(1)
	}
	for _, p := range g.Inclusion {
		raw, err := base64.StdEncoding.DecodeString(p.Entry)
		must(err)
		must(tlog.CheckRecord(hashes(p.Hashes), p.New, hash(p.Root), p.Index, tlog.RecordHash(raw)))
		own, err := tlog.ProveRecord(p.New, p.Index, reader)
		must(err)
		if fmt.Sprint(own) != fmt.Sprint(tlog.RecordProof(hashes(p.Hashes))) {
			fmt.Println("another proof of", p.Index)
			os.Exit(1)
		}
	}
	for _, p := range g.Consistency {
		must(tlog.CheckTree(hashes(p.Hashes), p.New, hash(p.Root), p.Old, hash(p.OldRoot)))
		own, err := tlog.ProveTree(p.New, p.Old, reader)
		must(err)
		if fmt.Sprint(own) != fmt.Sprint(tlog.TreeProof(hashes(p.Hashes))) {
			fmt.Println("another proof from", p.Old)
			os.Exit(1)
		}
	}
	fmt.Println(len(g.Inclusion), "inclusion and", len(g.Consistency), "consistency proofs hold")
}
"""


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def files(db: Database, tmp_path: Path) -> dict[str, Any]:
    """A cosigned checkpoint over 515 entries and proofs of it, as Go is given them."""
    logged(db, 514)
    size, all_of_it = tlog.size(db), envelopes(db)
    tlog.checkpoint(db, ME, NOW)
    there, witness_key = witness(tmp_path / "witness")
    log_key = tlog.log_keys(db, tlog.origin(db))[0]
    asked = tlog.request(db, witness_key, NOW).encode()
    tlog.cosigned(db, tlog.cosign(there, asked, AUDITOR, LATER, log_key).body.encode())
    there.close()
    some = (0, 1, 255, 256, 511, 514)
    receipts = [(i, note.parse_receipt(tlog.receipt(db, i + 1))) for i in some]
    tiles = db.execute("SELECT level, idx, hashes FROM tile").fetchall()
    root = text(tlog.root(db))
    return {
        "Key": str(log_key),
        "Checkpoint": receipts[0][1].checkpoint,
        "Tiles": {
            merkle.tile_path(level, index, len(data) // 32): text(bytes(data))
            for level, index, data in tiles
        },
        "Inclusion": [
            {"Index": i, "New": size, "Entry": text(all_of_it[i]), "Root": root,
             "Hashes": list(map(text, one.proof))}
            for i, one in receipts
        ],
        "Consistency": [
            {"Old": old, "New": size, "OldRoot": text(tlog.root(db, old)), "Root": root,
             "Hashes": list(map(text, tlog.consistency(db, old, size)))}
            for old in (1, 2, 255, 256, 257, 512, 514)
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(PROGRAM)
    environment = {
        **os.environ, "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }  # fmt: skip
    build = ["go", "build", "-o", "check", "main.go"]
    subprocess.run(build, cwd=folder, env=environment, check=True, timeout=300)
    return folder / "check"


def ask(program: Path, given: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=60
    )


def test_go_agrees_with_our_checkpoint_proofs_and_tiles(
    db: Database, tmp_path: Path, program: Path
) -> None:
    given = files(db, tmp_path)
    assert len(note.parse(given["Checkpoint"]).lines) == 2
    done = ask(program, given)
    assert done.stdout == "6 inclusion and 7 consistency proofs hold\n", done.stdout + done.stderr
    spoils: list[Callable[[Any], object]] = [
        lambda g: g["Inclusion"][2].update(Index=254),
        lambda g: g["Inclusion"][0]["Hashes"].pop(),
        lambda g: g["Consistency"][3].update(OldRoot=g["Inclusion"][0]["Root"]),
        lambda g: g["Tiles"].update({"tile/1/000.p/2": text(b"\0" * 64)}),
        lambda g: g.update(Checkpoint=g["Checkpoint"].replace("\n515\n", "\n514\n")),
    ]
    for spoil in spoils:
        bent = json.loads(json.dumps(given))
        spoil(bent)
        assert ask(program, bent).returncode == 1
