"""Opens an HTML file in a headless Chromium and answers questions about it, over the browser's own pipe.

browser.py FILE [--width N] [--height N] [--dark] [--screenshot PNG] [--full] [EXPRESSION]...

Prints one JSON object: `values`, what each JavaScript expression gave (a promise is awaited), in order; `load_ms`, from
the start of navigation to the first frame after the script has run; `requests`, the addresses that the page asked for
beyond itself; `errors`, what its console said. Exit code 77 where there is no Chromium.
"""
import argparse
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    return None


class Browser:
    def __init__(self, path, profile):
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()
        ends = [os.dup(to_browser), os.dup(from_browser)]
        os.close(to_browser)
        os.close(from_browser)

        def place_ends():
            # Away from 3 and 4 first, in case they are there already.
            high = [os.dup2(end, 40 + index) for index, end in enumerate(ends)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [path, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--user-data-dir=" + profile, "about:blank"],
            preexec_fn=place_ends, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        for end in ends:
            os.close(end)
        self.number, self.rest, self.events, self.session = 0, b"", [], None

    def read(self):
        while b"\0" not in self.rest:
            piece = os.read(self.input, 1 << 20)
            if not piece:
                raise SystemExit("the browser went away")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.output, data):]
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while True:
            for event in self.events:
                if event.get("method") == method:
                    return event["params"]
            self.events.append(self.read())

    def close(self):
        self.process.kill()
        self.process.wait()


FRAME = "new Promise(done => requestAnimationFrame(() => setTimeout(() => done(performance.now()))))"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("expressions", nargs="*")
    parser.add_argument("--width", type=int, default=1400)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--full", action="store_true", help="the whole page in the picture")
    parser.add_argument("--screenshot")
    options = parser.parse_intermixed_args()
    path = find_browser()
    if not path:
        print("no Chromium here", file=sys.stderr)
        return 77
    profile = tempfile.mkdtemp()
    browser = Browser(path, profile)
    try:
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Network", "Runtime", "Log":
            browser.call(domain + ".enable")
        browser.call("Emulation.setDeviceMetricsOverride", width=options.width, height=options.height,
                     deviceScaleFactor=1, mobile=options.width < 600)
        browser.call("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if options.dark else "light"}])
        browser.events.clear()
        address = pathlib.Path(options.file).resolve().as_uri()
        browser.call("Page.navigate", url=address)
        browser.wait_for("Page.loadEventFired")

        def evaluate(expression):
            answer = browser.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
            if "exceptionDetails" in answer:
                raise SystemExit(f"{expression}: {answer['exceptionDetails']}")
            return answer["result"].get("value")

        load = evaluate(FRAME)
        values = [evaluate(expression) for expression in options.expressions]
        if options.screenshot:
            evaluate(FRAME)
            picture = browser.call("Page.captureScreenshot", captureBeyondViewport=options.full)
            pathlib.Path(options.screenshot).write_bytes(base64.b64decode(picture["data"]))
        evaluate("new Promise(done => setTimeout(done, 50))")
        requests, errors = [], []
        for event in browser.events:
            method, about = event.get("method"), event.get("params", {})
            if method == "Network.requestWillBeSent":
                requests.append(about["request"]["url"])
            elif method == "Runtime.exceptionThrown":
                errors.append(about["exceptionDetails"].get("exception", {}).get("description", "exception"))
            elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
                errors.append(about["entry"]["text"])
        # Icons of form fields are data that the browser itself brings along.
        requests = [url for url in requests if url != address and not url.startswith("data:")]
        print(json.dumps({"values": values, "load_ms": load, "requests": requests, "errors": errors}))
    finally:
        browser.close()
        shutil.rmtree(profile, ignore_errors=True)
    return 0


sys.exit(main())
