# Puts job_service under load with wrk, without and with crashes, and looks at its page in Chromium.
# Usage: load_test.py EXECUTABLE [SECONDS [SCREENSHOT.png]]; needs wrk and chromium
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

CLIENTS = 64
CRASHES_PER_SECOND = 10
REPORT = """
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("requests %d failed %d p50_us %d p99_us %d\\n", summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""
UNITS = {"requests": "", "failed": "", "p50_us": " µs", "p99_us": " µs"}


def wrk(url, seconds):
    """What wrk says of GETs by many clients: a number by name."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(REPORT)
        script.flush()
        output = subprocess.run(
            ["wrk", "-t", "1", "-c", str(CLIENTS), "-d", f"{seconds}s", "-s", script.name, url],
            check=True, capture_output=True, text=True).stdout
    line = re.search(r"^requests \d+.*$", output, re.MULTILINE)[0].split()
    return dict(zip(line[::2], map(int, line[1::2])))


def status_of(url):
    try:
        with urllib.request.urlopen(url) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def check_load(name, url, seconds):
    figures = wrk(url, seconds)
    print(f"{name}:", ", ".join(f"{n} {v}{UNITS[n]}" for n, v in figures.items()))
    assert figures["requests"] > 0 and figures["failed"] == 0, figures
    return figures


def check_load_with_crashes(address, seconds):
    """Queries under load, and a tile now and then, while worker after worker dies."""
    done = threading.Event()
    crashes, tiles = [], []

    def repeat(statuses, target, pause):
        while not done.wait(pause):
            statuses.append(status_of(address + target))

    # Four threads take turns, so that one crash that takes its time does not make them fewer.
    threads = [threading.Thread(target=repeat, args=arguments) for arguments in (
        *[(crashes, "crash", 4 / CRASHES_PER_SECOND)] * 4, (tiles, "render?zoom=4&x=3&y=5", 0.05))]
    for thread in threads:
        thread.start()
    try:
        check_load("queries while workers crash", address + "query?customer=7", seconds)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    print(f"meanwhile: {len(crashes)} crashes, {len(tiles)} tiles")
    assert set(crashes) <= {500, 502} and set(tiles) == {200}, (set(crashes), set(tiles))


def chromium(url, *options):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1100,700",
             f"--user-data-dir={profile}", "--virtual-time-budget=20000", *options, url],
            check=True, capture_output=True, text=True, timeout=120).stdout


def check_page(address, screenshot):
    shown = chromium(address, "--dump-dom")
    assert 'data-state="shown"' in shown, shown
    assert shown.count("<img ") == 16 and "<caption>Pools</caption>" in shown, shown
    print("page: shows its figures and 16 tiles")
    if screenshot:
        chromium(address, f"--screenshot={os.path.abspath(screenshot)}")


def main(executable, seconds="5", screenshot=None):
    service = subprocess.Popen([executable, "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        address = service.stdout.readline().split()[-1]
        figures = check_load("queries", address + "query?customer=7", seconds)
        limit = 3 * figures["p50_us"] + 10_000
        assert figures["p99_us"] <= limit, f"p99 is above 3 x p50 + 10 ms, {limit} µs"
        check_load_with_crashes(address, seconds)
        check_page(address, screenshot)
    finally:
        service.terminate()
        status = service.wait(30)
    assert status == 0, f"exit status {status}"


if __name__ == "__main__":
    main(*sys.argv[1:])
