# Checks that includes point to the same or a lower layer, in no circle, and show no Boost.
import re

from source import run, sources, split

LAYERS = ["core", "executors", "loop", "bridge", "io"]
BESIDE = ["testing", "inspect"]  # they may use every layer; no layer uses them
UMBRELLAS = {"futures.hpp": 1, "aio.hpp": 5, "plait.hpp": 5}  # the highest layer that each gathers
SHOW_BOOST = {
    "plait/bridge/asio.hpp",
    "plait/bridge/boost_future.hpp",
    "plait/bridge/detail/asio_control.hpp",
    "plait/bridge/detail/asio_operation.hpp",
    "plait/bridge/detail/asio_wait.hpp",
    "plait/bridge/detail/loop_executor.hpp",
    "plait/executors/detail/frame_archive.hpp",  # Boost.PFR, which is one light header
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MAX_DEPTH = 12


class Header:
    """A file by the name that includes use: plait/<layer>/... or, from lib/, <layer>/..."""

    def __init__(self, name):
        parts = name.split("/")
        self.public = parts[0] == "plait"
        folders = parts[1:-1] if self.public else parts[:-1]
        self.folder = folders[0] if folders else ""
        self.umbrella = self.public and not folders and parts[-1] in UMBRELLAS
        self.rank = UMBRELLAS[parts[-1]] if self.umbrella else None
        if self.folder in LAYERS:
            self.rank = LAYERS.index(self.folder)
        self.may_show_boost = self.folder == "io" or name in SHOW_BOOST


def complaints(name, target, known):
    """What is wrong with an include of `target` in the file `name`."""
    mine = Header(name)
    if mine.public and target.startswith("boost/") and not mine.may_show_boost:
        yield "a public header shows Boost"
    if target not in known:
        return
    theirs = Header(target)
    if mine.folder and theirs.umbrella:
        yield "a layer includes an umbrella"
    elif mine.rank is not None and theirs.rank is not None and mine.rank < theirs.rank:
        yield "points to a higher layer"
    if mine.rank is not None and theirs.folder in BESIDE:
        yield "a layer uses what stands beside the layers"
    if mine.public and not theirs.public:
        yield "a public header includes a private one of lib/"


def find_circle(graph, name, path=(), done=None):
    """The first circle of includes that is met from `name` on, as a list of names; or none."""
    done = set() if done is None else done
    if name in path:
        return [*path[path.index(name) :], name]
    if name in done:
        return []
    for other in graph[name]:
        if circle := find_circle(graph, other, (*path, name), done):
            return circle
    done.add(name)
    return []


def depth(graph, name):
    return 1 + max((depth(graph, other) for other in graph[name]), default=0)


def includes(file):
    """(line number, spelling, is it quoted) of each include."""
    for number, line in enumerate(split(file.read_text()), 1):
        if match := INCLUDE.match(line.code):
            yield number, match[2], match[1] == '"'


def check(root):
    tops = (root / "include", root / "lib")
    known = {str(f.relative_to(top)): f for top in tops for f in sources(top, ".")}
    problems, graph = [], {name: [] for name in known}
    for name, file in known.items():
        for number, spelling, quoted in includes(file):
            beside = name.rpartition("/")[0] + "/" + spelling
            target = beside if quoted and beside in known else spelling
            if target in known:
                graph[name].append(target)
            for problem in complaints(name, target, known):
                problems.append(f"{file.relative_to(root)}:{number}: {target}: {problem}")
    circle = next(filter(None, (find_circle(graph, name) for name in graph)), None)
    if circle:
        return [*problems, "include circle: " + " -> ".join(circle)]
    for name in graph:
        if (deep := depth(graph, name)) > MAX_DEPTH:
            problems.append(f"{name}: its includes nest {deep} deep; at most {MAX_DEPTH}")
    return problems


P = "include/plait/"
BOOST = "#include <boost/thread.hpp>\n"
TO_EXECUTORS = {P + "executors/b.hpp": "", P + "core/a.hpp": "#include <plait/executors/b.hpp>\n"}
UP = "points to a higher layer"
CASES = [
    ("downwards", {P + "core/a.hpp": "", P + "loop/b.hpp": "#include <plait/core/a.hpp>\n"}, None),
    ("upwards", TO_EXECUTORS, "core/a.hpp:1: plait/executors/b.hpp: " + UP),
    ("upwards in lib", {"lib/core/a.cpp": '#include "io/b.hpp"\n', "lib/io/b.hpp": ""}, UP),
    ("umbrella", {P + "futures.hpp": "#include <plait/io/a.hpp>\n", P + "io/a.hpp": ""}, UP),
    ("below it", {P + "io/a.hpp": "#include <plait/aio.hpp>\n", P + "aio.hpp": ""}, "an umbrella"),
    ("Boost", {P + "core/a.hpp": BOOST}, "shows Boost"),
    ("Boost where it may be", {P + "core/a.hpp": "// " + BOOST, "lib/core/a.cpp": BOOST}, None),
    ("beside", {"lib/io/a.cpp": '#include "testing/b.hpp"\n', "lib/testing/b.hpp": ""}, "beside"),
    ("private", {P + "core/a.hpp": '#include "core/b.hpp"\n', "lib/core/b.hpp": ""}, "private"),
    ("circle", {P + "a.hpp": '#include "b.hpp"\n', P + "b.hpp": '#include "a.hpp"\n'}, "circle"),
    ("deep", {f"lib/io/{i}.hpp": f'#include "{i + 1}.hpp"\n' for i in range(14)}, "deep"),
]

if __name__ == "__main__":
    run(check, CASES)
