"""streamripper cuts the radio of weir serve stream where its titles change."""
import shutil
import subprocess

from conftest import seconds
from streaming import Source, basic, get, make_audio, mounts, passwords, wait_until


def titled(address, title):
    return get(address, f"/admin/metadata?mode=updinfo&mount=/live&song={title}",
               fields={"Authorization": basic("source:hackme")})[0] == 200


def test_streamripper_splits_by_titles(serve, tmp_path):
    server = serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path))
    address, folder = server.address("http"), tmp_path / "ripped"
    mp3 = make_audio(tmp_path / "live.mp3", "-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0").read_bytes()
    source = Source(address, fields=["ice-name: Ripped"]).read_head()
    source.play(mp3)
    wait_until(lambda: mounts(address).get("live", {}).get("total_bytes_read", 0) > 2000)
    assert titled(address, "A+-+one")
    ripper = subprocess.Popen(["streamripper", f"http://127.0.0.1:{address[1]}/live", "-d", str(folder), "-s",
                               "--quiet", "-l", "60", "--xs-none"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for title in ("one", "two", "three"):
            assert titled(address, f"A+-+{title}")
            wait_until(lambda wanted=title: list(folder.rglob(f"A - {wanted}.mp3")), 40)
        wait_until(lambda: list(folder.glob("A - two.mp3")), 40)  # no longer among the incomplete
    finally:
        ripper.terminate()
        ripper.wait(seconds(20))
    assert (folder / "A - two.mp3").stat().st_size > 4000
    source.close()
    shutil.rmtree(folder)
