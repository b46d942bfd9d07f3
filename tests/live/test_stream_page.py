"""The page of weir serve stream in a browser: plays, follows the titles, works by keyboard, asks nobody else."""
import json
import re

import pytest

import browser
from streaming import PASSWORDS, Source, get, make_audio, mounts, passwords, wait_until

pytestmark = pytest.mark.skipif(not browser.find(), reason="there is no Chromium")

NAME = "Radio <b>\"W\" & 'Ä'"
TITLE = "</script><i>Ä & \"B\""
LOOK_NOW = "document.dispatchEvent(new Event('visibilitychange')) && null"  # it would within five seconds
LOOKS = [(390, 844, "light"), (390, 844, "dark"), (1280, 900, "light"), (1280, 900, "dark")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def page(chromium):
    with chromium.page() as one:
        yield one


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    return make_audio(tmp_path_factory.mktemp("audio") / "a.mp3", "-metadata", f"title={TITLE}", length=5)


@pytest.fixture
def station(serve, audio, tmp_path):
    return serve("stream", "http://127.0.0.1:0", "--media", audio, "--name", NAME, "--description",
                 "day & <i>night</i>", "--source-password-file", passwords(tmp_path, PASSWORDS))


def url(station, path="/"):
    return "http://%s:%d%s" % (*station.address("http"), path)


def text(page, name):
    return page.evaluate(f"document.getElementById('{name}').textContent")


def test_plays_and_follows_the_titles(page, station):
    page.go(url(station))
    page.wait("document.getElementById('title').textContent === %r" % TITLE)
    assert text(page, "station") == NAME and text(page, "about") == "day & <i>night</i>"
    assert page.evaluate("document.title") == f"{TITLE} – {NAME}"
    assert page.evaluate("document.querySelectorAll('main i').length") == 4  # the bars, and nobody else's
    page.press("k")
    page.wait("document.getElementById('audio').currentTime > 0.3")
    page.wait("document.body.classList.contains('playing')")
    page.wait("document.getElementById('listeners').textContent === '1'")
    assert text(page, "play").strip() == "Stop" and text(page, "quality").startswith("MP3")
    page.press("k")
    page.wait("document.getElementById('play').getAttribute('aria-pressed') === 'false'")
    wait_until(lambda: mounts(station.address("http"))["radio"]["listeners"] == 0)
    assert not page.complaints()
    assert all(asked.startswith((url(station), "data:")) for asked in page.asked_for())


def test_by_keyboard_alone(page, station):
    """The button is what Tab comes to first, and Enter presses it."""
    page.go(url(station))
    page.wait("document.getElementById('title').textContent.length > 1")
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "play"
    page.press("Enter")
    page.wait("document.getElementById('audio').currentTime > 0.3")
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "volume"
    page.press("m")
    assert page.evaluate("document.getElementById('audio').muted")
    page.press("Tab")
    assert page.evaluate("document.activeElement.href").endswith("/radio.m3u")
    assert not page.complaints()


def test_a_live_source_can_be_chosen(page, station, audio):
    page.go(url(station))
    page.wait("document.getElementById('title').textContent.length > 1")
    assert page.evaluate("document.getElementById('mounts').hidden")
    source = Source(station.address("http"), "/live", fields=("ice-name: Live <u>",))
    source.play(audio.read_bytes())
    wait_until(lambda: "live" in mounts(station.address("http")))
    page.evaluate(LOOK_NOW)
    page.wait("!document.getElementById('mounts').hidden")
    page.evaluate("document.querySelector('[data-path=\"/live\"]').click()")
    page.wait("document.getElementById('source').textContent === 'On now: Live <u>'")
    assert page.evaluate("document.getElementById('m3u').pathname") == "/live.m3u"
    source.close()
    wait_until(lambda: "live" not in mounts(station.address("http")))
    page.evaluate(LOOK_NOW)
    page.wait(f"document.getElementById('source').textContent === 'On now: ' + {json.dumps(NAME)}")  # is heard now
    assert not page.complaints()


@pytest.mark.parametrize("width, height, scheme", LOOKS)
def test_fits_and_can_be_read(page, station, tmp_path, width, height, scheme):
    """Nothing hangs over the side, and words stand out from what is behind them (WCAG AA: 4.5)."""
    page.show(width, height, scheme, mobile=width < 500)
    for path in "/", "/files/":
        page.go(url(station, path))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
    page.picture(tmp_path / "page.png")
    assert not page.complaints()


# What has words of its own and too little contrast with the first ground below it.
CONTRAST = """(() => {
  const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor, alpha = parts(colour)[3];
      if (alpha === undefined || alpha > 0)
        return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("main *")].filter((element) => own(element) && element.offsetParent)
    .map((element) => {
      const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort();
      return [element.outerHTML.slice(0, 80), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    }).filter(([, contrast]) => contrast < 4.5);
})()"""


def test_a_file_plays_by_itself(page, station):
    """Whoever follows a link of the listing hears it, in the player that browsers show files in."""
    page.go(url(station, "/files/"))
    page.evaluate("document.querySelector('.files a').click()")
    page.wait("location.pathname === '/files/a.mp3' && document.querySelector('video, audio') !== null")
    page.wait("document.querySelector('video, audio').duration > 4")
    assert not page.complaints()


def test_nothing_but_its_own_runs(page, station):
    """What somebody would put into the page is not run: the browser is told the digests of what is."""
    policy = get(station.address("http"), "/")[1]["content-security-policy"]
    assert "unsafe" not in policy and policy.startswith("default-src 'none';")
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2
    page.go(url(station))
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'bad = 1'}))")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.bad = 1\">')")
    page.wait("true")
    assert page.evaluate("window.bad") is None
    assert page.complaints()  # and it says so


def test_without_scripts(station):
    """There is a player all the same."""
    page = get(station.address("http"), "/")[2].decode()
    assert '<noscript><audio controls preload="none" src="/radio"></audio></noscript>' in page
